// Encodable values to JSON values.

extension JSONValue {
  /// Nil members are left out.
  public init(encoding value: some Encodable) throws {
    let node = EncodingNode()
    try node.write(value)
    self = node.value
  }
}

/// A place in the result: containers are references, so it is filled in piece by piece.
private final class EncodingNode {
  var scalar = JSONValue.null
  var members: [(name: String, node: EncodingNode)]?
  var elements: [EncodingNode]?

  var value: JSONValue {
    if let members { return .object(members.map { JSONValue.Member($0.name, $0.node.value) }) }
    if let elements { return .array(elements.map(\.value)) }
    return scalar
  }

  func write(_ value: some Encodable) throws {
    switch value {
    case let value as Bool: scalar = .bool(value)
    case let value as String: scalar = .string(value)
    case let value as Double: scalar = .number(value)
    case let value as any BinaryInteger: scalar = .integer(Int64(clamping: value))
    default: try value.encode(to: ValueEncoder(node: self))
    }
  }

  func child(_ name: String) -> EncodingNode {
    let node = EncodingNode()
    members = (members ?? []) + [(name, node)]
    return node
  }

  func child() -> EncodingNode {
    let node = EncodingNode()
    elements = (elements ?? []) + [node]
    return node
  }
}

private struct ValueEncoder: Encoder {
  let node: EncodingNode
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    node.members = node.members ?? []
    return KeyedEncodingContainer(KeyedWriter(node: node))
  }
  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    node.elements = node.elements ?? []
    return UnkeyedWriter(node: node)
  }
  func singleValueContainer() -> any SingleValueEncodingContainer { ValueWriter(node: node) }
}

private struct KeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let node: EncodingNode
  var codingPath: [any CodingKey] { [] }

  func encodeNil(forKey key: Key) { node.child(key.stringValue).scalar = .null }
  func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
    try node.child(key.stringValue).write(value)
  }
  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    ValueEncoder(node: node.child(key.stringValue)).container(keyedBy: type)
  }
  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    ValueEncoder(node: node.child(key.stringValue)).unkeyedContainer()
  }
  func superEncoder() -> any Encoder { ValueEncoder(node: node.child("super")) }
  func superEncoder(forKey key: Key) -> any Encoder {
    ValueEncoder(node: node.child(key.stringValue))
  }
}

private struct UnkeyedWriter: UnkeyedEncodingContainer {
  let node: EncodingNode
  var codingPath: [any CodingKey] { [] }
  var count: Int { node.elements?.count ?? 0 }

  func encodeNil() { node.child().scalar = .null }
  func encode<T: Encodable>(_ value: T) throws { try node.child().write(value) }
  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) -> KeyedEncodingContainer<Nested> {
    ValueEncoder(node: node.child()).container(keyedBy: type)
  }
  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    ValueEncoder(node: node.child()).unkeyedContainer()
  }
  func superEncoder() -> any Encoder { ValueEncoder(node: node.child()) }
}

private struct ValueWriter: SingleValueEncodingContainer {
  let node: EncodingNode
  var codingPath: [any CodingKey] { [] }
  func encodeNil() { node.scalar = .null }
  func encode<T: Encodable>(_ value: T) throws { try node.write(value) }
}
