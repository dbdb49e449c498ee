// Script security. Who owns files decides here, so these tests need root, as the daemon does.

import Configuration
import Failover
import Glibc
import Testing

private let root = ScriptIdentity(user: 0, group: 0, groups: [0])
private let nobody = ScriptIdentity(user: 65534, group: 65534, groups: [65534])

private func check(
  _ path: String, as identity: ScriptIdentity = root, enforced: Bool = true
) -> ScriptVerdict {
  ScriptSecurity.check(scriptCommand(path), as: identity, enforced: enforced)
}

@Suite(.enabled(if: geteuid() == 0, "needs root"))
struct ScriptSecurityTests {
  let scratch = Scratch()

  init() { chmod(scratch.path, 0o755) }

  @Test func aScriptOfRootsRuns() {
    let path = scratch.script("ok.sh", "exit 0")
    #expect(check(path) == .runnable(path: path, warnings: []))
    #expect(check(path, as: nobody) == .runnable(path: path, warnings: []))
  }

  @Test(arguments: [(0o777, 0, 0), (0o775, 0, 65534), (0o755, 65534, 0)])
  func whatOthersCouldReplaceIsRefused(_ mode: Int, _ owner: UInt32, _ group: UInt32) {
    let path = scratch.script("x.sh", "exit 0", mode: mode)
    chown(path, owner, group)
    chmod(path, mode_t(mode))
    #expect(check(path) == .refused(.insecure(path: path, component: path)))
    guard case .runnable(_, let warnings) = check(path, enforced: false) else {
      Issue.record("it is only warned of when security is not enforced")
      return
    }
    #expect(warnings.count == 1)
    // It can do no more than the user who could replace it.
    #expect(check(path, as: nobody) == .runnable(path: path, warnings: []))
  }

  @Test func everyDirectoryOnTheWayCounts() {
    let directory = scratch.path + "/open"
    mkdir(directory, 0o777)
    chmod(directory, 0o777)
    let path = scratch.script("open/x.sh", "exit 0")
    #expect(check(path) == .refused(.insecure(path: path, component: directory)))
    chmod(directory, 0o1777)
    #expect(check(path) == .runnable(path: path, warnings: []))
    chmod(directory, 0o775)
    #expect(check(path) == .runnable(path: path, warnings: []))
    let link = scratch.path + "/link.sh"
    symlink(path, link)
    chmod(directory, 0o777)
    #expect(check(link) == .refused(.insecure(path: link, component: directory)))
  }

  @Test func whatCannotBeExecutedIsRefusedInAnyCase() {
    let plain = scratch.script("plain.sh", "exit 0", mode: 0o644)
    let hidden = scratch.path + "/hidden"
    mkdir(hidden, 0o700)
    let inside = scratch.script("hidden/x.sh", "exit 0")
    #expect(
      check(plain, enforced: false)
        == .refused(.notExecutable(path: plain, user: 0, group: 0)))
    #expect(check(scratch.path, enforced: false) == .refused(.wrongFileType(path: scratch.path)))
    #expect(
      check("/nonexistent/x", enforced: false)
        == .refused(.notAccessible(path: "/nonexistent/x", reason: "No such file or directory")))
    #expect(
      check(inside, as: nobody)
        == .refused(.notAccessible(path: inside, reason: "Permission denied")))
    #expect(check(inside) == .runnable(path: inside, warnings: []))
  }

  @Test func bareNamesAreLookedUp() {
    guard case .runnable(let path, let warnings) = check("true") else {
      Issue.record("there is a `true` in PATH")
      return
    }
    #expect(path.hasSuffix("/true") && path.hasPrefix("/"))
    #expect(warnings.count == 1)
    #expect(check("no-such-command-here") == .refused(.notInPath("no-such-command-here")))
  }

  @Test func namesAndNumbersOfUsers() {
    let globals = FailoverGlobals()
    #expect(ScriptIdentity.resolve(ScriptUser("root"), globals: globals).map(\.user) == .success(0))
    #expect(
      ScriptIdentity.resolve(ScriptUser("nobody", group: "0"), globals: globals).map(\.group)
        == .success(0))
    #expect(
      ScriptIdentity.resolve(ScriptUser("12345", group: "54321"), globals: globals)
        == .success(ScriptIdentity(user: 12345, group: 54321, groups: [54321])))
    #expect(
      ScriptIdentity.resolve(ScriptUser("no-such-user"), globals: globals)
        == .failure(.unknownUser("no-such-user")))
    #expect(
      ScriptIdentity.resolve(ScriptUser("root", group: "no-such-group"), globals: globals)
        == .failure(.unknownGroup("no-such-group")))
  }
}
