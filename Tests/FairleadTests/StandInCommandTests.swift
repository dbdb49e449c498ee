// What `fairlead stand-in` understands on its command line, and the authority it keeps in a folder.

import Glibc
import StandIn
import Testing

@testable import Fairlead

struct StandInCommandTests {
  @Test(arguments: ["10.0.0.11:6443", "[fd00::11]:6443", "127.0.0.1:1", "127.0.0.1:65535"])
  func addressesAreTaken(_ text: String) {
    #expect(ListenAddress(argument: text)?.description == text)
  }

  @Test(arguments: ["", ":", "6443", "10.0.0.11", "10.0.0.11:0", "10.0.0.11:65536", "host:6443"])
  func otherWordsAreNoAddresses(_ text: String) {
    #expect(ListenAddress(argument: text) == nil)
  }

  @Test(arguments: [
    ("0s", 0), ("500ms", 500), ("10s", 10_000), ("2m", 120_000), ("3600s", 3_600_000),
    ("1h", 3_600_000),
  ])
  func timesHaveUnits(_ text: String, _ milliseconds: Int64) {
    #expect(ShutdownDelay(argument: text)?.duration == .milliseconds(milliseconds))
  }

  @Test(arguments: ["", "s", "10", "-1s", "61m", "3601s", "99999999999999999999s", "2h"])
  func otherWordsAreNoTimes(_ text: String) {
    #expect(ShutdownDelay(argument: text) == nil)
  }

  @Test func certificatesTakeNamesAndAddresses() {
    #expect(SubjectName("10.0.0.179") == .address([10, 0, 0, 179]))
    #expect(SubjectName("::1") == .address([UInt8](repeating: 0, count: 15) + [1]))
    #expect(SubjectName("api.example.com") == .dns("api.example.com"))
    #expect(SubjectName("*.example.com") == .dns("*.example.com"))
    for text in ["", "*", "a..b", "a b", "a/b", ".a", String(repeating: "a", count: 64)] {
      #expect(SubjectName(text) == nil, "\(text)")
    }
  }

  @Test func aFolderIsMadeOnceAndThenRead() throws {
    let folder = try Folder()
    let made = try Authority(folder: folder.path + "/pki")
    let read = try Authority(folder: folder.path + "/pki")
    #expect(try made.pem == read.pem)
    var found = stat()
    #expect(stat(folder.path + "/pki/ca.key", &found) == 0)
    #expect(found.st_mode & 0o777 == 0o600)
    _ = try read.serverConfiguration(for: "master-1", names: [.address([10, 0, 0, 179])])
  }

  @Test func halfAnAuthorityIsRefused() throws {
    let folder = try Folder()
    _ = try Authority(folder: folder.path)
    #expect(unlink(folder.path + "/ca.crt") == 0)
    #expect(throws: AuthorityError.self) { try Authority(folder: folder.path) }
  }

  @Test func anotherAuthoritysKeyIsRefused() throws {
    let (first, second) = (try Folder(), try Folder())
    _ = try Authority(folder: first.path)
    _ = try Authority(folder: second.path)
    #expect(rename(second.path + "/ca.key", first.path + "/ca.key") == 0)
    #expect(throws: AuthorityError.self) { try Authority(folder: first.path) }
  }
}

/// A folder of its own, removed with it.
private final class Folder {
  let path: String

  init() throws {
    var template = Array("/tmp/fairlead-test-XXXXXX".utf8CString)
    path = try #require(mkdtemp(&template).map { String(cString: $0) })
  }

  deinit {
    for name in ["pki/ca.crt", "pki/ca.key", "ca.crt", "ca.key"] { unlink("\(path)/\(name)") }
    rmdir(path + "/pki")
    rmdir(path)
  }
}
