// Preloaded into Azurite by a test run. Our end of this pipe closes when the run is over, however it ended
// (success, failure, Ctrl-C, kill -9), so that no run leaves a server behind.
process.stdin.resume();
process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
