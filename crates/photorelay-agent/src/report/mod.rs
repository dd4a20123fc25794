//! Reports as HTML files that need nothing else: for a ticket, or for a change board.
//!
//! Pages hold pictures and names, so they are written for their owner alone, whatever was there before, and a report leaves
//! no page of an earlier one. Everything in them is escaped, they load
//! nothing and run nothing, and a value that is not a photo is never embedded.

mod picture;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use picture::ReportPicture;

/// So many users are on a page, which is then a few megabytes.
const USERS_PER_PAGE: usize = 100;

/// One user of a report.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReportedUser {
    /// The account name or, without one, the object ID.
    pub(crate) title: String,
    pub(crate) user: String,
    /// The object in the target's own notation.
    pub(crate) object: Option<String>,
    /// One word or two.
    pub(crate) state: String,
    pub(crate) text: String,
    pub(crate) before: Option<bytes::Bytes>,
    pub(crate) after: Option<bytes::Bytes>,
}

/// A folder of pages, with an index that is written last.
#[derive(Debug)]
pub(crate) struct HtmlReport {
    folder: PathBuf,
    title: String,
    target: String,
    made_at: Timestamp,
    waiting: Vec<ReportedUser>,
    pages: Vec<PageLine>,
    users: usize,
}

/// A page as the index lists it.
#[derive(Debug)]
struct PageLine {
    file: String,
    first: String,
    last: String,
}

#[derive(Template)]
#[template(path = "report_page.html")]
struct ReportPage<'a> {
    report: &'a HtmlReport,
    number: usize,
    users: Vec<(&'a ReportedUser, ReportPicture, ReportPicture)>,
}

#[derive(Template)]
#[template(path = "report_index.html")]
struct ReportIndex<'a> {
    report: &'a HtmlReport,
    /// What it comes to: a label and a text each.
    totals: &'a [(String, String)],
}

impl HtmlReport {
    /// Creates the folder. In one that holds a report, the new one takes its place; anything else in it is left alone.
    pub(crate) fn create(folder: &Path, title: &str, target: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        remove_report(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            title: title.to_owned(),
            target: target.to_owned(),
            made_at: Timestamp::now(),
            waiting: Vec::new(),
            pages: Vec::new(),
            users: 0,
        })
    }

    pub(crate) fn add(&mut self, user: ReportedUser) -> io::Result<()> {
        self.users += 1;
        self.waiting.push(user);
        if self.waiting.len() < USERS_PER_PAGE { Ok(()) } else { self.write_page() }
    }

    /// Writes what is left and the index, and returns the index.
    pub(crate) fn finish(mut self, totals: &[(String, String)]) -> io::Result<PathBuf> {
        if !self.waiting.is_empty() {
            self.write_page()?;
        }
        let index = ReportIndex { report: &self, totals }.render().map_err(io::Error::other)?;
        self.write("index.html", &index)?;
        Ok(self.folder.join("index.html"))
    }

    fn write_page(&mut self) -> io::Result<()> {
        let users = std::mem::take(&mut self.waiting);
        let number = self.pages.len() + 1;
        let name = |user: Option<&ReportedUser>| user.map(|user| user.title.clone()).unwrap_or_default();
        let line =
            PageLine { file: format!("page-{number:04}.html"), first: name(users.first()), last: name(users.last()) };
        let pictured = |user| -> (&ReportedUser, ReportPicture, ReportPicture) {
            let user: &ReportedUser = user;
            (user, ReportPicture::of(user.before.as_ref()), ReportPicture::of(user.after.as_ref()))
        };
        let page = ReportPage { report: self, number, users: users.iter().map(pictured).collect() };
        let page = page.render().map_err(io::Error::other)?;
        self.write(&line.file, &page)?;
        self.pages.push(line);
        Ok(())
    }

    /// Beside its place first: what is there may be readable to others, or lead elsewhere.
    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let temporary = self.folder.join(format!("{name}.{}", Uuid::new_v4()));
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options
            .open(&temporary)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&temporary, self.folder.join(name)));
        if written.is_err() {
            // Perhaps it was never created.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// Removes the index and the pages of a report, and no other file.
fn remove_report(folder: &Path) -> io::Result<()> {
    for file in fs::read_dir(folder)? {
        let file = file?;
        if file.file_name().to_str().is_some_and(is_of_report) && !file.file_type()?.is_dir() {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

fn is_of_report(name: &str) -> bool {
    let number = name.strip_prefix("page-").and_then(|rest| rest.strip_suffix(".html"));
    let is_page = number.is_some_and(|number| number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit()));
    is_page || name == "index.html"
}
