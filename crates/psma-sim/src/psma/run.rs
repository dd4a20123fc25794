//! An import run: its pages, what PSMA reads back between them, and what MIM makes of the whole.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::entries::{self, Entry};
use super::schema::ObjectClass;
use super::versions::PsmaVersion;
use crate::mim::{ConnectorSpace, ImportCounts, Reported};
use crate::value::PsValue;

/// What an import run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Full,
    Delta,
}

/// A run profile, and whether an operator stops the run.
#[derive(Debug, Clone, Copy)]
pub struct Import {
    pub operation: Operation,
    /// None: paged import is not ticked.
    pub page_size: Option<usize>,
    /// Stops the run when so many pages are read.
    pub stop_after: Option<usize>,
}

impl Import {
    /// A full import that is not paged.
    pub fn full() -> Self {
        Self { operation: Operation::Full, page_size: None, stop_after: None }
    }

    /// A delta import that is not paged.
    pub fn delta() -> Self {
        Self { operation: Operation::Delta, ..Self::full() }
    }

    #[must_use]
    pub fn paged(self, size: usize) -> Self {
        Self { page_size: Some(size), ..self }
    }

    #[must_use]
    pub fn stopped_after(self, pages: usize) -> Self {
        Self { stop_after: Some(pages), ..self }
    }
}

/// How a run ended, as MIM's run history calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunResult {
    Success,
    CompletedDiscoveryErrors,
    /// With the message of the exception.
    StoppedExtensionDllException(String),
    StoppedUserTermination,
}

/// What a run did. `swallowed`, `skipped`, `lost` and `empty_pages` are mistakes of a script that MIM does not show.
#[derive(Debug, Clone)]
pub struct RunReport {
    pub result: RunResult,
    /// The objects of each page.
    pub pages: Vec<usize>,
    pub adds: usize,
    pub updates: usize,
    pub deletes: usize,
    /// Discovery errors: DN, name and detail.
    pub errors: Vec<(String, String, String)>,
    /// Objects that PSMA dropped because an exception was thrown.
    pub swallowed: Vec<String>,
    /// Objects that were no hashtables.
    pub skipped: Vec<String>,
    /// Objects beyond the page size while more were announced.
    pub lost: usize,
    /// Pages without an object while more were announced.
    pub empty_pages: usize,
    /// Every opening of a file, in order.
    pub opened: Vec<PathBuf>,
}

impl RunReport {
    /// Whether the run succeeded without one of the mistakes that MIM does not show.
    pub fn is_clean(&self) -> bool {
        self.result == RunResult::Success && self.has_no_hidden_mistake()
    }

    pub fn has_no_hidden_mistake(&self) -> bool {
        self.swallowed.is_empty() && self.skipped.is_empty() && self.lost == 0 && self.empty_pages == 0
    }

    /// The message of the exception that stopped the run.
    pub fn exception(&self) -> Option<&str> {
        match &self.result {
            RunResult::StoppedExtensionDllException(message) => Some(message),
            _ => None,
        }
    }
}

/// What one call of the import script gave.
pub(super) struct PageResults {
    pub(super) objects: Vec<PsValue>,
    pub(super) more: PsValue,
}

/// A run under way.
pub(super) struct ImportRun<'a> {
    version: PsmaVersion,
    classes: &'a [ObjectClass],
    space: &'a mut ConnectorSpace,
    reported: Reported,
    changes: ImportCounts,
    report: RunReport,
}

impl<'a> ImportRun<'a> {
    pub(super) fn new(version: PsmaVersion, classes: &'a [ObjectClass], space: &'a mut ConnectorSpace) -> Self {
        let report = RunReport {
            result: RunResult::Success,
            pages: Vec::new(),
            adds: 0,
            updates: 0,
            deletes: 0,
            errors: Vec::new(),
            swallowed: Vec::new(),
            skipped: Vec::new(),
            lost: 0,
            empty_pages: 0,
            opened: Vec::new(),
        };
        Self { version, classes, space, reported: Reported::default(), changes: ImportCounts::default(), report }
    }

    pub(super) fn pages(&self) -> usize {
        self.report.pages.len()
    }

    /// Takes a page; returns whether PSMA asks for another one.
    pub(super) fn take(&mut self, mut page: PageResults, page_size: Option<usize>) -> Result<bool> {
        let has_more = page_size.is_some() && has_more(&page.more)?;
        if let (true, Some(size)) = (has_more, page_size) {
            // The rest waits in a variable that the next page overwrites.
            self.report.lost += page.objects.len().saturating_sub(size);
            page.objects.truncate(size);
            self.report.empty_pages += usize::from(page.objects.is_empty());
        }
        self.report.pages.push(page.objects.len());
        for object in &page.objects {
            self.object(object)?;
        }
        Ok(has_more)
    }

    fn object(&mut self, object: &PsValue) -> Result<()> {
        let entry = entries::read(self.version, self.classes, object)?;
        let dn = match &entry {
            Entry::Add(dn, _) | Entry::Delete(dn) => Some(dn),
            _ => None,
        };
        if let Some(dn) = dn.filter(|dn| !self.reported.insert(dn)) {
            self.report.errors.push((dn.clone(), "duplicate-object".to_owned(), String::new()));
            return Ok(());
        }
        match entry {
            Entry::Add(dn, object) => self.space.put(&dn, object, &mut self.changes),
            Entry::Delete(dn) => self.space.delete(&dn, &mut self.changes),
            Entry::Error { dn, name, detail } => self.report.errors.push((dn, name, detail)),
            Entry::Skipped(what) => self.report.skipped.push(what),
            Entry::Swallowed(what) => self.report.swallowed.push(what),
        }
        Ok(())
    }

    /// Ends the run. A full import obsoletes what it did not report, unless there was an error.
    pub(super) fn close(mut self, result: RunResult, operation: Operation, opened: Vec<PathBuf>) -> RunReport {
        let has_errors = !self.report.errors.is_empty();
        self.report.result = match result {
            RunResult::Success if has_errors => RunResult::CompletedDiscoveryErrors,
            other => other,
        };
        if self.report.result == RunResult::Success && operation == Operation::Full {
            self.space.obsolete(&self.reported, &mut self.changes);
        }
        self.report.opened = opened;
        RunReport {
            adds: self.changes.adds,
            updates: self.changes.updates,
            deletes: self.changes.deletes,
            ..self.report
        }
    }
}

/// `MoreToImport`, which must parse as a Boolean. Null counts as false.
fn has_more(value: &PsValue) -> Result<bool> {
    match value {
        PsValue::Null => Ok(false),
        PsValue::Bool(is_true) => Ok(*is_true),
        PsValue::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        PsValue::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        other => bail!("MoreToImport is {}", other.kind()),
    }
}
