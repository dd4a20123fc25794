//! A management agent with its scripts, its settings and its connector space.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, Result, bail, ensure};

use super::run::{Import, ImportRun, Operation, PageResults, RunReport, RunResult};
use super::schema::{self, ObjectClass};
use super::versions::PsmaVersion;
use crate::evaluate::{CallArguments, Engine, Interrupt};
use crate::mim::ConnectorSpace;
use crate::parse::parse;
use crate::syntax::Script;
use crate::value::PsValue;

/// The global variables that PSMA sets before and reads after each page.
const STATE: [&str; 3] = ["MoreToImport", "RunStepCustomData", "PageToken"];

/// More pages than any test has: a script that never ends.
const MAX_PAGES: usize = 10_000;

/// A management agent.
#[derive(Debug)]
pub struct ManagementAgent {
    version: PsmaVersion,
    folder: PathBuf,
    configuration: BTreeMap<String, String>,
    classes: Vec<ObjectClass>,
    space: ConnectorSpace,
    watermark: String,
    engine: Engine,
    /// The scripts that were parsed, with their texts.
    parsed: BTreeMap<String, (String, Rc<Script>)>,
}

/// An object that MIM exports, as a script sees it.
#[derive(Debug, Clone, Copy)]
pub enum ExportedObject<'a> {
    /// "Simple objects": properties with names in brackets.
    Simple { identifier: &'a str },
    /// The `CSEntryChange` itself.
    EntryChange { identifier: &'a str },
}

impl ManagementAgent {
    /// A management agent whose four scripts are in this folder.
    pub fn new(version: PsmaVersion, scripts: &Path) -> Self {
        Self {
            version,
            folder: scripts.to_owned(),
            configuration: BTreeMap::new(),
            classes: Vec::new(),
            space: ConnectorSpace::default(),
            watermark: String::new(),
            engine: Engine::default(),
            parsed: BTreeMap::new(),
        }
    }

    /// Sets a configuration parameter; 5.5 does not hand them to scripts.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.configuration.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the clock of the machine, in Unix seconds. It does not move by itself.
    pub fn set_clock(&mut self, now: i64) {
        self.engine.now = now;
    }

    /// From now on, opening the file fails, as while a virus scanner holds it.
    pub fn lock_file(&mut self, path: &Path) {
        self.engine.files.lock(path);
    }

    pub fn connector_space(&self) -> &ConnectorSpace {
        &self.space
    }

    /// What MIM keeps for the next delta.
    pub fn watermark(&self) -> &str {
        &self.watermark
    }

    /// Puts another watermark in its place, as if another script had left it.
    pub fn set_watermark(&mut self, watermark: &str) {
        watermark.clone_into(&mut self.watermark);
    }

    /// Refreshes the schema. The inner error is what MIM shows.
    pub fn refresh_schema(&mut self) -> Result<Result<&[ObjectClass], String>> {
        let output = match self.call("schema.ps1", self.version.common(&self.configuration), Vec::new())? {
            Ok(output) => output,
            Err(message) => return Ok(Err(message)),
        };
        Ok(schema::read(self.version, &output)?.map(|classes| {
            self.classes = classes;
            self.classes.as_slice()
        }))
    }

    /// Runs an import. An error is the stand-in's: a script did what it does not know.
    pub fn run(&mut self, import: Import) -> Result<RunReport> {
        self.run_with(import, |_| {})
    }

    /// Like `run`; after each page calls the function with the number of pages that were read.
    pub fn run_with(&mut self, import: Import, mut after_page: impl FnMut(usize)) -> Result<RunReport> {
        ensure!(!self.classes.is_empty(), "the schema was never read: call refresh_schema");
        self.engine.files.take_opened();
        let mut custom_data = match import.operation {
            Operation::Full => PsValue::text(""),
            Operation::Delta => PsValue::text(self.watermark.as_str()),
        };
        let mut token = PsValue::text("");
        let (classes, mut space) = (self.classes.clone(), std::mem::take(&mut self.space));
        let mut run = ImportRun::new(self.version, &classes, &mut space);
        let result = loop {
            if import.stop_after == Some(run.pages()) {
                break RunResult::StoppedUserTermination;
            }
            ensure!(run.pages() < MAX_PAGES, "the import never ends");
            let page = match self.page(import, run.pages() + 1, &mut custom_data, &mut token)? {
                Ok(page) => page,
                Err(message) => break RunResult::StoppedExtensionDllException(message),
            };
            let has_more = run.take(page, import.page_size)?;
            after_page(run.pages());
            if !has_more {
                break RunResult::Success;
            }
        };
        let report = run.close(result, import.operation, self.engine.files.take_opened());
        self.space = space;
        if report.result == RunResult::Success {
            let PsValue::Text(custom_data) = custom_data else { bail!("RunStepCustomData is {}", custom_data.kind()) };
            self.watermark = custom_data.to_string();
        }
        Ok(report)
    }

    /// One call of the import script. The inner error is the exception that ends the run.
    fn page(
        &mut self,
        import: Import,
        number: usize,
        custom_data: &mut PsValue,
        token: &mut PsValue,
    ) -> Result<Result<PageResults, String>> {
        let version = self.version;
        let mut given = version.common(&self.configuration);
        let size = i64::try_from(import.page_size.unwrap_or(100))?;
        given.push(("OperationType", PsValue::text(format!("{:?}", import.operation))));
        given.push(("UsePagedImport", PsValue::Bool(import.page_size.is_some())));
        given.push(("PageSize", PsValue::Number(size)));
        given.push(("Schema", PsValue::Null));
        version.number("ImportPageNumber", number, &mut given);
        if version.is_text_engine() {
            self.engine.clear_globals();
        }
        self.engine.set_global("RunStepCustomData", custom_data.clone());
        self.engine.set_global("PageToken", token.clone());
        let objects = match self.call("import.ps1", given, Vec::new())? {
            Ok(objects) => objects,
            Err(message) => return Ok(Err(message)),
        };
        let [more, data, next] = STATE.map(|name| self.engine.global(name));
        *custom_data = version.read_back(custom_data, data);
        *token = version.read_back(token, next);
        let more = version.read_back(&PsValue::Null, more);
        Ok(Ok(PageResults { objects, more }))
    }

    /// Exports objects: identifier, error name and detail of each answer. The inner error ends the run.
    pub fn export(&mut self, objects: &[ExportedObject<'_>]) -> Result<Result<Vec<[String; 3]>, String>> {
        let mut given = self.version.common(&self.configuration);
        given.push(("ExportType", PsValue::text("Normal")));
        given.push(("Schema", PsValue::Null));
        self.version.number("ExportPageNumber", 1, &mut given);
        let note = |name: &str, value: &str| {
            PsValue::Noted(Rc::new(std::cell::RefCell::new(vec![(name.to_owned(), PsValue::text(value))])))
        };
        let input = objects.iter().map(|object| match object {
            ExportedObject::Simple { identifier } => note("[Identifier]", identifier),
            ExportedObject::EntryChange { identifier } => note("Identifier", identifier),
        });
        let output = match self.call("export.ps1", given, input.collect())? {
            Ok(output) => output,
            Err(message) => return Ok(Err(message)),
        };
        let mut answers = Vec::new();
        for answer in output {
            let PsValue::Table(answer) = answer else { bail!("{} as the answer to an export", answer.kind()) };
            let answer = answer.borrow();
            let text = |name: &str| answer.get(name).map(PsValue::to_text).transpose();
            let [id, error, detail] = ["[Identifier]", "[ErrorName]", "[ErrorDetail]"].map(text);
            answers.push([id?, error?, detail?].map(|text| text.unwrap_or_default().to_string()));
        }
        Ok(Ok(answers))
    }

    /// Sets a password. The inner error is what MIM shows.
    pub fn set_password(&mut self) -> Result<Result<(), String>> {
        let mut given = self.version.common(&self.configuration);
        given.push(("Action", PsValue::text("Set")));
        given.push(("NewPassword", PsValue::text("correct horse")));
        given.push(("OldPassword", PsValue::Null));
        Ok(self.call("password.ps1", given, Vec::new())?.map(drop))
    }

    /// Calls a script. It is read each time, as PSMA does. The inner error is the exception that it ends with.
    fn call(
        &mut self,
        script: &str,
        given: Vec<(&'static str, PsValue)>,
        input: Vec<PsValue>,
    ) -> Result<Result<Vec<PsValue>, String>> {
        let script = self.script(script)?;
        let script_root = self.version.knows_script_root().then_some(self.folder.as_path());
        let call = CallArguments { script_root, parameters: self.version.transported(given), input };
        match self.engine.run(&script, call) {
            Ok(_) if self.version.caught_errors_end_the_run() && !self.engine.caught().is_empty() => {
                Ok(Err(format!("the script had errors: {:?}", self.engine.caught())))
            }
            Ok(output) => Ok(Ok(output)),
            Err(Interrupt::Thrown(message)) => Ok(Err(message)),
            Err(Interrupt::NextRound) => bail!("{}: continue outside of a loop", script.name),
            Err(Interrupt::NotKnown { line, error }) => {
                Err(error.context(format!("{}:{}: the stand-in does not know this", script.name, line.unwrap_or(0))))
            }
        }
    }

    fn script(&mut self, name: &str) -> Result<Rc<Script>> {
        let path = self.folder.join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("the script {}", path.display()))?;
        if let Some((_, script)) = self.parsed.get(name).filter(|(parsed, _)| *parsed == text) {
            return Ok(Rc::clone(script));
        }
        let script = Rc::new(parse(name, &text)?);
        self.parsed.insert(name.to_owned(), (text, Rc::clone(&script)));
        Ok(script)
    }
}
