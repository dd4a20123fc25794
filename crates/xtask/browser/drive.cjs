// Keeps chromedriver in the foreground, on a port that the system chooses. In a test run (`--tied`) our end of the pipe
// closes when the run is over, however it ended, so that no run leaves a driver behind.
const { spawn } = require("node:child_process");

const driver = spawn("chromedriver", ["--port=0"], { stdio: ["ignore", "inherit", "inherit"] });
const end = () => driver.kill("SIGTERM");
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, end);
if (process.argv.includes("--tied")) {
  process.stdin.resume();
  process.stdin.on("end", end);
}
driver.on("error", (error) => {
  console.error(`chromedriver cannot be started: ${error.message}`);
  process.exit(1);
});
driver.on("exit", (code) => process.exit(code ?? 0));
