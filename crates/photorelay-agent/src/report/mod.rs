//! Reports as HTML files that need nothing else: for a ticket, or for a change board.
//!
//! Pages hold pictures and names, so they are written for their owner alone. Everything in them is escaped, they load
//! nothing and run nothing, and a value that is not a photo is never embedded.

mod picture;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use askama::Template;
use jiff::Timestamp;

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
    /// Creates the folder. One that holds a report is used again; anything else in it is left alone.
    pub(crate) fn create(folder: &Path, title: &str, target: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
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

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.folder.join(name))?.write_all(text.as_bytes())
    }
}
