//! The program as it ships: how large it is, how soon it answers after its start, and what it holds when idle.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Table, Verdict, median, percentile};
use crate::place::{self, Place};

const STARTS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(10);
const START_MS: f64 = 30.0;
const IDLE_MIB: f64 = 20.0;
const BINARY_MIB: f64 = 12.0;
const MIB: f64 = 1024.0 * 1024.0;

pub(super) fn measure(place: &Place, table: &mut Table) -> Result<()> {
    let program = place.target.join("release").join("photorelay");
    let folder = place.target.join("bench").join("program");
    place::remove(&folder)?;
    std::fs::create_dir_all(&folder)?;

    let mut starts = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..STARTS {
        let (took, held) = start(&program, &folder)?;
        starts.push(took.as_secs_f64() * 1000.0);
        resident.push(held);
    }
    place::remove(&folder)?;

    let (middle, slow) = (median(starts.clone()), percentile(starts, 95));
    table.row(
        "start to first answer",
        format!("{middle:.1} ms, p95 {slow:.1} ms"),
        format!("< {START_MS} ms"),
        "",
        Verdict::budget(middle < START_MS),
    );
    let idle = median(resident);
    table.row(
        "resident when idle",
        format!("{idle:.1} MiB"),
        format!("< {IDLE_MIB} MiB"),
        "",
        Verdict::budget(idle < IDLE_MIB),
    );
    let size = std::fs::metadata(&program).context("the program was not built")?.len() as f64 / MIB;
    table.row(
        "binary",
        format!("{size:.1} MiB"),
        format!("< {BINARY_MIB} MiB"),
        "",
        Verdict::budget(size < BINARY_MIB),
    );
    Ok(())
}

/// Starts the program as the Functions host does: the time to its first answer, and the MiB it then holds.
fn start(program: &Path, folder: &Path) -> Result<(Duration, f64)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new(program);
    command
        .arg("serve")
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .env("PhotoStorage__path", folder.join("store"))
        .env("PHOTORELAY_TENANT_ID", "5f9c7a64-5b2e-4d3f-9d0b-2f6f4c1d9a01")
        .env("PHOTORELAY_CLIENT_ID", "0c2b0f5e-7a35-4f0e-8c57-6f2d1c3b4a99")
        .env("PHOTORELAY_CLIENT_SECRET", "never-sent-to-anybody")
        .env("PHOTORELAY_CLIENT_STATE", "f3b1c09e5a7d4412b6e80c53d7a9912f")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn().context("the program does not start")?;
    let measured = answer(port).map(|()| began.elapsed()).and_then(|took| Ok((took, resident(&child)?)));
    // Not asked to stop but ended, because its last words would be printed twenty times.
    child.kill()?;
    child.wait()?;
    measured
}

/// Returns with the first answer. Asks without a pause, because a pause would be part of the figure.
fn answer(port: u16) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
                let mut answer = [0; 12];
                stream.read_exact(&mut answer).context("the program broke its answer off")?;
                anyhow::ensure!(answer == *b"HTTP/1.1 200", "the program answers something else than 200");
                return Ok(());
            }
            Err(_) if Instant::now() < deadline => std::thread::yield_now(),
            Err(error) => return Err(error).context(format!("the program does not listen within {PATIENCE:?}")),
        }
    }
}

fn resident(child: &Child) -> Result<f64> {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", child.id())).context("memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
