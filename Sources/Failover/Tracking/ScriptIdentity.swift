// Whom a script runs as: names and numbers become user, group and supplementary groups.

import Configuration
import Glibc

/// A user as the kernel knows him.
public struct ScriptIdentity: Equatable, Sendable {
  public var user: UInt32
  public var group: UInt32
  /// As initgroups(3) would set them.
  public var groups: [UInt32]

  public init(user: UInt32, group: UInt32, groups: [UInt32]) {
    self.user = user
    self.group = group
    self.groups = groups
  }

  /// The own group is among the supplementary ones or not, which makes no difference.
  var allGroups: Set<UInt32> { Set(groups).union([group]) }

  /// Whom this process runs as.
  public static var current: ScriptIdentity {
    let count = getgroups(0, nil)
    var groups = [gid_t](repeating: 0, count: Int(max(count, 0)))
    let got = getgroups(Int32(groups.count), &groups)
    return ScriptIdentity(
      user: geteuid(), group: getegid(), groups: Array(groups.prefix(Int(max(got, 0)))))
  }

  /// Nobody named: `script_user`, else the user `keepalived_script` if there is one, else whom the
  /// daemon runs as (keepalived.conf(5), "script_user").
  public static func resolve(
    _ user: ScriptUser?, globals: FailoverGlobals
  ) -> Result<ScriptIdentity, ScriptProblem> {
    if let named = user ?? globals.scriptUser { return resolve(named) }
    if case .success(let identity) = resolve(ScriptUser("keepalived_script")) {
      return .success(identity)
    }
    return .success(current)
  }

  static func resolve(_ named: ScriptUser) -> Result<ScriptIdentity, ScriptProblem> {
    let entry = passwordEntry(named.user)
    guard let user = entry?.user ?? UInt32(named.user) else {
      return .failure(.unknownUser(named.user))
    }
    var group = entry?.group
    if let name = named.group {
      guard let number = groupNumber(name) ?? UInt32(name) else {
        return .failure(.unknownGroup(name))
      }
      group = number
    }
    // A number that no entry names has no primary group.
    guard let group else { return .failure(.unknownUser(named.user)) }
    let groups = entry.map { supplementaryGroups(of: $0.name, with: group) } ?? [group]
    return .success(ScriptIdentity(user: user, group: group, groups: groups))
  }

  private struct Entry {
    var name: String
    var user: UInt32
    var group: UInt32
  }

  private static func passwordEntry(_ text: String) -> Entry? {
    var buffer = [CChar](repeating: 0, count: 16384)
    var record = passwd()
    var found: UnsafeMutablePointer<passwd>?
    _ = getpwnam_r(text, &record, &buffer, buffer.count, &found)
    if found == nil, let number = UInt32(text) {
      _ = getpwuid_r(number, &record, &buffer, buffer.count, &found)
    }
    guard let found else { return nil }
    return Entry(
      name: String(cString: found.pointee.pw_name), user: found.pointee.pw_uid,
      group: found.pointee.pw_gid)
  }

  private static func groupNumber(_ name: String) -> UInt32? {
    var buffer = [CChar](repeating: 0, count: 65536)
    var record = Glibc.group()
    var found: UnsafeMutablePointer<Glibc.group>?
    _ = getgrnam_r(name, &record, &buffer, buffer.count, &found)
    return found?.pointee.gr_gid
  }

  private static func supplementaryGroups(of name: String, with group: UInt32) -> [UInt32] {
    var count: Int32 = 64
    var groups = [gid_t](repeating: 0, count: Int(count))
    if getgrouplist(name, group, &groups, &count) < 0 {
      // The count is now what it takes.
      groups = [gid_t](repeating: 0, count: Int(max(count, 1)))
      if getgrouplist(name, group, &groups, &count) < 0 { return [group] }
    }
    return Array(groups.prefix(Int(max(count, 0))))
  }
}
