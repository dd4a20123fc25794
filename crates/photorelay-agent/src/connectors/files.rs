//! Files that other programs read: read with a limit, and written as a whole. A reader sees the old or the new file and
//! never a part, and what was written survives a power cut.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read as _, Write as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use bytes::Bytes;

/// On Windows a file that a reader has just open cannot be replaced; readers hold it for milliseconds.
const RENAME_ATTEMPTS: u32 = 20;
const RENAME_DELAY: Duration = Duration::from_millis(25);

/// None if there is no such file.
pub(super) fn read_limited(path: &Path, limit: u64) -> io::Result<Option<Bytes>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("{} is larger than {limit} bytes", path.display())));
    }
    Ok(Some(Bytes::from(bytes)))
}

pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_whole_with(path, |file| file.write_all(bytes))
}

/// Writes beside the file and renames.
pub(super) fn write_whole_with<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    let beside = path.with_extension(format!("{:016x}.tmp", fastrand::u64(..)));
    let written = File::create_new(&beside).map_err(E::from).and_then(|file| {
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        file.flush()?;
        Ok(file.get_ref().sync_data()?)
    });
    written.and_then(|()| Ok(rename(&beside, path)?)).inspect_err(|_| {
        // Nothing was replaced; what is left of the attempt is of no use.
        let _ = fs::remove_file(&beside);
    })?;
    Ok(path.parent().map_or(Ok(()), sync_folder)?)
}

#[expect(clippy::disallowed_methods, reason = "a blocking thread, and only on Windows")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let mut attempts = 1..RENAME_ATTEMPTS;
    loop {
        match fs::rename(from, to) {
            Err(error) if cfg!(windows) && error.kind() == ErrorKind::PermissionDenied && attempts.next().is_some() => {
                thread::sleep(RENAME_DELAY);
            }
            result => return result,
        }
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// On Windows a folder cannot be opened as a file: the file system's journal has to do.
#[cfg(not(unix))]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::metadata(folder).map(drop)
}
