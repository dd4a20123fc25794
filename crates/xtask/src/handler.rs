//! The program as the Functions host starts it: the time to its first answer, its memory, and what it serves.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

const PATIENCE: Duration = Duration::from_secs(10);

/// A running custom handler; dropping this value kills it.
#[derive(Debug)]
pub(crate) struct HandlerProcess {
    child: Child,
    port: u16,
    /// From its start to its first answer.
    pub(crate) first_answer: Duration,
}

impl HandlerProcess {
    /// Starts `program serve` on a store of its own in `folder`.
    pub(crate) fn start(program: &Path, folder: &Path) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(program);
        command
            .arg("serve")
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("PhotoStorage__path", folder.join("store"))
            .env("PHOTORELAY_TENANT_ID", "5f9c7a64-5b2e-4d3f-9d0b-2f6f4c1d9a01")
            .env("PHOTORELAY_CLIENT_ID", "0c2b0f5e-7a35-4f0e-8c57-6f2d1c3b4a99")
            .env("PHOTORELAY_CLIENT_SECRET", "never-sent")
            .env("PHOTORELAY_CLIENT_STATE", "f3b1c09e5a7d4412b6e80c53d7a9912f")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("{} does not start", program.display()))?;
        let mut handler = Self { child, port, first_answer: Duration::ZERO };
        ensure!(handler.first_status()? == 200, "the program does not answer the host's first request with 200");
        handler.first_answer = began.elapsed();
        Ok(handler)
    }

    /// Polls without a pause, because a pause would be part of the figure.
    fn first_status(&mut self) -> Result<u16> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect(("127.0.0.1", self.port)) {
                Ok(stream) => return status(stream, "/"),
                Err(_) if Instant::now() < deadline => std::thread::yield_now(),
                Err(error) => return Err(error).context(format!("the program does not listen within {PATIENCE:?}")),
            }
            if let Some(ended) = self.child.try_wait()? {
                anyhow::bail!("the program ended with {ended} before it listened");
            }
        }
    }

    /// The status that a GET of this path is answered with.
    pub(crate) fn get(&self, path: &str) -> Result<u16> {
        status(TcpStream::connect(("127.0.0.1", self.port))?, path)
    }

    /// Its resident memory now, in MiB.
    pub(crate) fn resident(&self) -> Result<f64> {
        let file = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(file).context("memory is read from /proc")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for HandlerProcess {
    /// Killed and not asked to stop, because what it prints at its end would appear each time.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status(mut stream: TcpStream, path: &str) -> Result<u16> {
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).context("the program broke off its response")?;
    let status =
        std::str::from_utf8(&answer)?.strip_prefix("HTTP/1.1 ").context("the program does not answer in HTTP")?;
    Ok(status.parse()?)
}
