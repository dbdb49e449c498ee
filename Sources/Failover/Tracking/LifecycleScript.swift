// startup_script and shutdown_script: run once, before the routers start and after they stopped.

import Configuration

public enum LifecycleScript {
  /// Runs the command and waits for it. `timeout` nil = 10 s; when it passes the script is killed.
  /// Returns a sentence for the log when it did not end well, else nil.
  public static func run(
    _ command: ScriptCommand, timeout: Duration?, globals: FailoverGlobals
  ) async -> String? {
    let name = command.words.first ?? ""
    switch RunnableScript.resolve(command, globals: globals) {
    case .failure(let problem): return "\(name) is not run: \(problem)"
    case .success(let (script, _)):
      let ending = await ScriptRunner.run(
        script, timeout: timeout ?? TrackingLimits.lifecycleTimeout)
      return ending.isSuccess ? nil : "\(name) \(ending.failureWords)"
    }
  }
}
