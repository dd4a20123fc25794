// node check.cjs FILE: what is wrong with queries, as a JSON array with a line for each syntax error and for each table,
// column or function that does not exist. FILE holds {"tables": {name: {"columns": {name: type}}}, "queries": [{"name":
// ..., "query": ...}]}. NODE_PATH names the folder of the parser.

require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");

const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;
const { tables, queries } = JSON.parse(require("fs").readFileSync(process.argv[2], "utf8"));

const symbols = Object.entries(tables).map(([name, { columns }]) => {
  const schema = Object.entries(columns).map(([column, type]) => `${column}: ${type}`);
  return new Symbols.TableSymbol.$ctor7(name, `(${schema.join(", ")})`, null);
});
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor2("workspace", null, symbols));

const problems = queries.flatMap(({ name, query }) => {
  const found = globalThis.Bridge.toArray(KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics());
  return found.map((problem) => {
    const line = query.slice(0, problem.Start).split("\n").length;
    return `${name}, line ${line}: ${problem.Message} (${problem.Code})`;
  });
});
process.stdout.write(JSON.stringify(problems));
