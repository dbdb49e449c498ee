// What an examination ends in: findings, each with its place in the house, how bad it is, and
// what to do about it.

/// How bad a finding is, from nothing to mend upwards.
public enum Severity: String, Codable, CaseIterable, Comparable, Sendable {
  /// Looked at, and as it should be.
  case ok
  /// Worth knowing; nothing to mend.
  case note
  /// It works, but not always or not as well as it could.
  case warning
  /// It does not work, or will not when it is needed.
  case problem

  public static func < (a: Severity, b: Severity) -> Bool {
    allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)!
  }
}

/// What is looked at, in the order in which it is told.
public enum Area: String, Codable, CaseIterable, Sendable {
  case configuration, servers, certificates, names, clock, interfaces, addresses, wire, machine
  case ports

  /// The heading above its findings.
  public var title: String {
    switch self {
    case .configuration: "Configuration"
    case .servers: "Servers"
    case .certificates: "Certificates"
    case .names: "Names"
    case .clock: "Clock"
    case .interfaces: "Interfaces"
    case .addresses: "Virtual addresses"
    case .wire: "VRRP on the wire"
    case .machine: "This machine"
    case .ports: "Ports and processes"
    }
  }
}

/// One result of an examination.
public struct Finding: Equatable, Sendable {
  public var kind: FindingKind
  public var area: Area
  /// What it is about: a server, a router, an interface, a frontend.
  public var subject: String
  /// A sentence without the subject.
  public var text: String
  /// One sentence that can be acted on; nil for what is as it should be.
  public var remedy: String?

  public var severity: Severity

  /// - Parameter area, severity: the kind's own unless others are given.
  public init(
    _ kind: FindingKind, _ subject: String, _ text: String, remedy: String? = nil,
    area: Area? = nil, severity: Severity? = nil
  ) {
    self.kind = kind
    self.severity = severity ?? kind.severity
    self.area = area ?? kind.area
    self.subject = subject
    self.text = text
    self.remedy = remedy
  }
}

extension [Finding] {
  /// The worst of them; `ok` when there are none.
  public var worst: Severity { map(\.severity).max() ?? .ok }

  /// Same areas together, the worst first within each, otherwise as they came.
  public func inOrder() -> [Finding] {
    Area.allCases.flatMap { area in
      Severity.allCases.reversed().flatMap { severity in
        filter { $0.area == area && $0.severity == severity }
      }
    }
  }
}
