// Runs one command to its end: no shell, a process group of its own, nothing of ours inherited
// but the environment. swift-subprocess resets signals and closes every descriptor above 2.

import Configuration
import Glibc
import Kernel
import Subprocess

/// A command that has passed `ScriptSecurity`.
struct RunnableScript: Equatable, Sendable {
  var path: String
  /// argv[0] is the word of the configuration.
  var words: [String]
  var identity: ScriptIdentity

  /// Resolves user and path. The warnings are for the log.
  static func resolve(
    _ command: ScriptCommand, globals: FailoverGlobals
  ) -> Result<(script: RunnableScript, warnings: [String]), ScriptProblem> {
    switch ScriptIdentity.resolve(command.user, globals: globals) {
    case .failure(let problem): return .failure(problem)
    case .success(let identity):
      switch ScriptSecurity.check(command, as: identity, enforced: globals.enforcesScriptSecurity) {
      case .refused(let problem): return .failure(problem)
      case .runnable(let path, let warnings):
        let script = RunnableScript(path: path, words: command.words, identity: identity)
        return .success((script, warnings))
      }
    }
  }
}

enum ScriptRunner {
  /// Runs it to its end. When `timeout` passes or the task is cancelled, its process group gets
  /// SIGTERM and, `TrackingLimits.terminationGrace` later, SIGKILL; the result is then `timedOut`.
  static func run(_ script: RunnableScript, timeout: Duration?) async -> ScriptEnding {
    await withTaskGroup(of: ScriptEnding?.self) { group in
      group.addTask { await execute(script) }
      if let timeout {
        group.addTask {
          try? await Task.sleep(for: timeout)
          return nil
        }
      }
      let first = await group.next() ?? nil
      // Late: ends the script. In time: ends the sleep.
      group.cancelAll()
      await group.waitForAll()
      if Task.isCancelled { return .timedOut }
      return first ?? .timedOut
    }
  }

  private static func execute(_ script: RunnableScript) async -> ScriptEnding {
    let first = await spawn(script.path, [script.words.first ?? script.path], script)
    guard case .failure(let code) = first, code == ENOEXEC else { return ending(first) }
    // A text without `#!`: execvp(3) gives it to the shell, and so does keepalived.
    let shell = await spawn("/bin/sh", ["sh", script.path], script)
    return ending(shell)
  }

  private static func ending(_ result: SpawnResult) -> ScriptEnding {
    switch result {
    case .ended(let ending): ending
    case .failure(let code): .notStarted(KernelError.text(of: code))
    }
  }

  private enum SpawnResult {
    case ended(ScriptEnding)
    case failure(Int32)
  }

  private static func spawn(
    _ path: String, _ head: [String], _ script: RunnableScript
  ) async -> SpawnResult {
    var options = PlatformOptions()
    options.processGroupID = 0
    options.teardownSequence = [
      .send(
        signal: .terminate, toProcessGroup: true,
        allowedDurationToNextStep: TrackingLimits.terminationGrace)
    ]
    var path = path
    var arguments = head + script.words.dropFirst()
    let current = ScriptIdentity.current
    let identity = script.identity
    if current.allGroups != identity.allGroups || current.user != identity.user
      || current.group != identity.group
    {
      // Not by the library: see CLinux/RunAs.c.
      let groups =
        identity.groups.isEmpty ? "-" : identity.groups.map { "\($0)" }.joined(separator: ",")
      arguments =
        [
          "fairlead-run-as", "\(identity.user)", "\(identity.group)", groups, path,
        ] + arguments
      path = "/proc/self/exe"
    }
    do {
      let result = try await Subprocess.run(
        .path(.init(path)),
        arguments: .init(
          executablePathOverride: arguments[0], remainingValues: Array(arguments.dropFirst())),
        workingDirectory: .init("/"), platformOptions: options, input: .none, output: .discarded,
        error: .discarded)
      switch result.terminationStatus {
      case .exited(let code): return .ended(.exited(code))
      case .signaled(let number): return .ended(.signaled(number))
      }
    } catch let error as SubprocessError {
      return .failure(error.underlyingError?.rawValue ?? ENOENT)
    } catch {
      return .ended(.timedOut)
    }
  }
}
