// What the tests of the keepalived dialect share: texts parsed without touching the disk.

@testable import Configuration

/// Nothing of the machine: no environment, no files.
let isolated = KeepalivedOptions(
  configurationID: "testhost", environment: [:],
  readFile: { (path: String) throws(ConfigurationFileError) in
    throw ConfigurationFileError(path: path, reason: "not there")
  }, expand: { _ in [] })

/// Parses text as one file.
func keepalived(_ text: String, options: KeepalivedOptions = isolated) -> FailoverParseResult {
  KeepalivedDialect.parse(files: [("k.conf", Array(text.utf8))], options: options)
}

/// A complete instance around `lines`, so that only they are judged.
func instance(_ lines: String..., before: String = "") -> FailoverParseResult {
  keepalived(
    before + "\nvrrp_instance I {\n interface eth0\n virtual_router_id 51\n"
      + lines.map { " \($0)\n" }.joined() + " virtual_ipaddress { 10.0.0.1 }\n}\n")
}

extension FailoverParseResult {
  var router: VirtualRouter? { configuration?.routers.first }
}
