// The JSON Schema and the parser know the same keys.

import Foundation
import Testing

@testable import Configuration

@Suite struct NativeSchemaTests {
  @Test func schemaAndParserHaveTheSameKeys() throws {
    let file = Fixtures.examples.deletingLastPathComponent()
      .appendingPathComponent("Packaging/fairlead.schema.json")
    let json = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
    let schema = try #require(json as? [String: Any])
    #expect((schema["$id"] as? String)?.isEmpty == false)
    let definitions = try #require(schema["$defs"] as? [String: Any])
    func keys(_ value: Any?) -> Set<String> {
      let object = value as? [String: Any]
      #expect(object?["additionalProperties"] as? Bool == false)
      return Set((object?["properties"] as? [String: Any] ?? [:]).keys)
    }
    #expect(keys(schema) == Set(NativeParser.keys))
    #expect(keys(definitions["node"]) == Set(NativeNode.keys.map(\.name)))
    #expect(keys(definitions["virtualAddress"]) == Set(NativeVirtualAddress.keys.map(\.name)))
    #expect(
      keys(definitions["announcement"]) == Set(NativeVirtualAddress.announcementKeys.map(\.name)))
    #expect(keys(definitions["notify"]) == Set(NotifyCommands.keys.map(\.name)))
    #expect(keys(definitions["group"]) == Set(SyncGroup.keys.map(\.name)))
    #expect(keys(definitions["script"]) == Set(NativeScript.keys.map(\.name)))
    #expect(keys(definitions["file"]) == Set(TrackedFile.keys.map(\.name)))
    #expect(keys(definitions["trackedProcess"]) == Set(TrackedProcess.keys.map(\.name)))
    #expect(keys(definitions["vrrp"]) == Set(FailoverGlobals.keys.map(\.name)))
    #expect(keys(definitions["fifo"]) == Set(FailoverGlobals.fifoKeys.map(\.name)))
    #expect(keys(definitions["frontend"]) == Set(NativeFrontend.keys.map(\.name)))
    #expect(keys(definitions["backend"]) == Set(NativeBackend.keys.map(\.name)))
    #expect(keys(definitions["server"]) == Set(NativeServer.keys.map(\.name)))
    #expect(keys(definitions["check"]) == Set(NativeCheck.keys.map(\.name)))
    #expect(keys(definitions["target"]) == Set(NativeLogging.targetKeys.map(\.name)))
    #expect(keys(definitions["logging"]) == Set(NativeLogging.keys.map(\.name)))
    #expect(keys(definitions["process"]) == Set(NativeLogging.processKeys.map(\.name)))
    #expect(keys(definitions["http"]) == Set(NativeHTTP.keys.map(\.name)))
    let http = (definitions["http"] as? [String: Any])?["properties"] as? [String: Any]
    #expect(keys(http?["tls"]) == Set(NativeHTTP.tlsKeys.map(\.name)))
    #expect(keys(definitions["listen"]) == Set(NativeListen.keys.map(\.name)))
    #expect(keys(definitions["log"]) == Set(NativeAccessLog.keys.map(\.name)))
    #expect(keys(definitions["backendLog"]) == Set(NativeBackendLog.keys.map(\.name)))
    #expect(keys(definitions["resolvers"]) == Set(NativeResolvers.keys.map(\.name)))
    let source = (definitions["source"] as? [String: Any])?["anyOf"] as? [Any]
    #expect(keys(source?.last) == Set(NativeAddress.sourceKeys.map(\.name)))
    let keepalive = (definitions["keepalive"] as? [String: Any])?["anyOf"] as? [Any]
    #expect(keys(keepalive?.last) == Set(NativeDefaults.keepaliveKeys.map(\.name)))
  }
}
