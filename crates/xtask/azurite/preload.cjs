// Preloaded into Azurite by a test run.

// Telemetry is off, and most of what Azurite loads when it starts is the library for it, which then goes unused.
const Module = require("module");
const load = Module._load;
Module._load = (request, ...rest) => (request === "applicationinsights" ? {} : load(request, ...rest));

// Our end of this pipe closes when the run is over, however it ended (success, failure, Ctrl-C, kill -9), so that no run
// leaves a server behind.
process.stdin.resume();
process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
