//! A zip whose bytes depend on nothing but the files: no clock, no owner, one order.

use std::io::{Cursor, Write};

use anyhow::Result;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::file::PackageFile;

pub(super) fn zip(files: &[PackageFile]) -> Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            // The start of a zip's calendar, 1980.
            .last_modified_time(DateTime::default())
            .unix_permissions(file.mode);
        writer.start_file(&file.name, options)?;
        writer.write_all(&file.bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}
