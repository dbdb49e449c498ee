// What the stand-in says, in the shape in which a Kubernetes API server says it.

struct APIContent: Sendable {
  let server: String

  private static let namespaces = ["default", "kube-node-lease", "kube-public", "kube-system"]
  private static let created = "2026-01-05T09:12:41Z"
  private static let baseVersion = 41_870

  /// `/version`, with one field more than the real one: who answered.
  var version: String {
    """
    {
      "major": "1",
      "minor": "37",
      "emulationMajor": "1",
      "emulationMinor": "37",
      "minCompatibilityMajor": "1",
      "minCompatibilityMinor": "36",
      "gitVersion": "v1.37.1+stand-in",
      "gitCommit": "0000000000000000000000000000000000000000",
      "gitTreeState": "clean",
      "buildDate": "2026-01-05T09:12:41Z",
      "goVersion": "none",
      "compiler": "swift",
      "platform": "linux/amd64",
      "servedBy": "\(server)"
    }

    """
  }

  var namespaceList: String {
    let items = Self.namespaces.enumerated().map { namespace($1, version: 10 + $0, typed: false) }
    return #"{"kind":"NamespaceList","apiVersion":"v1","metadata":{"resourceVersion":"#
      + #""\#(Self.baseVersion)"},"items":["# + items.joined(separator: ",") + "]}\n"
  }

  // MARK: Discovery, without which kubectl asks for nothing

  let apiVersions =
    #"{"kind":"APIVersions","versions":["v1"],"serverAddressByClientCIDRs":[]}"# + "\n"
  let apiGroups = #"{"kind":"APIGroupList","apiVersion":"v1","groups":[]}"# + "\n"
  let apiResources =
    #"{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"namespaces","#
    + #""singularName":"namespace","namespaced":false,"kind":"Namespace","#
    + #""verbs":["get","list","watch"],"shortNames":["ns"]}]}"# + "\n"

  /// `metav1.Status` of a failure.
  func status(_ code: Int, _ reason: String, _ path: String) -> String {
    let shown = path.filter { $0.isASCII && ($0.isLetter || $0.isNumber || "/-_.".contains($0)) }
    return #"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"#
      + #""the server could not serve \#(shown)","reason":"\#(reason)","details":{},"code":"#
      + "\(code)}\n"
  }

  // MARK: Watch events, one JSON object a line

  var initialEvents: String {
    Self.namespaces.enumerated()
      .map { event("ADDED", namespace($1, version: 10 + $0, typed: true)) }.joined()
  }

  func modified(_ count: Int) -> String {
    let name = Self.namespaces[count % Self.namespaces.count]
    return event("MODIFIED", namespace(name, version: Self.baseVersion + count, typed: true))
  }

  func bookmark(_ count: Int) -> String {
    event(
      "BOOKMARK",
      #"{"kind":"Namespace","apiVersion":"v1","metadata":{"resourceVersion":"#
        + #""\#(Self.baseVersion + count)","creationTimestamp":null},"spec":{},"status":{}}"#)
  }

  private func event(_ type: String, _ object: String) -> String {
    #"{"type":"\#(type)","object":\#(object)}"# + "\n"
  }

  private func namespace(_ name: String, version: Int, typed: Bool) -> String {
    let id = 11 + name.utf8.count
    return "{" + (typed ? #""kind":"Namespace","apiVersion":"v1","# : "")
      + #""metadata":{"name":"\#(name)","uid":"5e0f7c1a-93d4-4c1b-8a52-7d20b6f0e4\#(id)","#
      + #""resourceVersion":"\#(version)","creationTimestamp":"\#(Self.created)","labels":"#
      + #"{"kubernetes.io/metadata.name":"\#(name)"}},"spec":{"finalizers":["kubernetes"]},"#
      + #""status":{"phase":"Active"}}"#
  }
}
