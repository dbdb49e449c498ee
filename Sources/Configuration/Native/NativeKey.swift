// One key of the native file: how it is read into the model and printed from it. The tables of
// these are the language; the JSON Schema is tested against them.

/// YAML to be printed.
/// `Sendable` is said, since working it out goes round in circles with some orders of files.
enum NativeOutput: Equatable, Sendable {
  case scalar(String)
  case list([NativeOutput])
  case map([(String, NativeOutput)])

  static func == (a: NativeOutput, b: NativeOutput) -> Bool { a.inline == b.inline }
}

struct NativeKey<Target> {
  var name: String
  var read: (NativeReader, NativeValue, inout Target) -> Void
  /// nil leaves the key out.
  var print: (Target) -> NativeOutput?
  /// Puts this key's part of one value into another.
  var copy: (Target, inout Target) -> Void

  init<Value>(
    _ name: String, _ path: WritableKeyPath<Target, Value>,
    read: @escaping (NativeReader, NativeValue) -> Value?,
    print: @escaping (Value) -> NativeOutput?
  ) {
    self.name = name
    self.read = { reader, value, target in
      if let result = read(reader, value) { target[keyPath: path] = result }
    }
    self.print = { print($0[keyPath: path]) }
    copy = { $1[keyPath: path] = $0[keyPath: path] }
  }

  /// The same key in a table for something that holds the target.
  func within<Outer>(_ path: WritableKeyPath<Outer, Target>) -> NativeKey<Outer> {
    let (read, print, copy) = (self.read, self.print, self.copy)
    var outer = NativeKey<Outer>(name, path, read: { _, _ in nil }, print: { print($0) })
    outer.read = { reader, value, target in read(reader, value, &target[keyPath: path]) }
    outer.copy = { copy($0[keyPath: path], &$1[keyPath: path]) }
    return outer
  }

  static func word(_ name: String, _ path: WritableKeyPath<Target, String?>) -> Self {
    Self(name, path, read: { $0.string($1) }, print: { $0.map { .scalar($0) } })
  }

  /// The name of a network interface.
  static func interface(_ name: String, _ path: WritableKeyPath<Target, String?>) -> Self {
    Self(
      name, path,
      read: { reader, value in reader.interfaceName(value).map { .some($0) } },
      print: { $0.map { .scalar($0) } })
  }

  /// `false` stands for none, where what is inherited may have to be taken back.
  static func wordOrFalse(_ name: String, _ path: WritableKeyPath<Target, String?>) -> Self {
    Self(
      name, path, read: { $1.text == "false" ? .some(nil) : $0.string($1).map { .some($0) } },
      print: { .scalar($0 ?? "false") })
  }

  /// A list of words, or one.
  static func words(_ name: String, _ path: WritableKeyPath<Target, [String]>) -> Self {
    Self(
      name, path,
      read: { reader, value in
        reader.elements(value, acceptsOne: true).compactMap { reader.string($0) }
      }, print: { .list($0.map { .scalar($0) }) })
  }

  static func flag(_ name: String, _ path: WritableKeyPath<Target, Bool>) -> Self {
    Self(name, path, read: { $0.bool($1) }, print: { .scalar($0 ? "true" : "false") })
  }

  static func number(
    _ name: String, _ path: WritableKeyPath<Target, Int>, _ range: ClosedRange<Int>
  ) -> Self {
    Self(name, path, read: { $0.integer($1, in: range) }, print: { .scalar(String($0)) })
  }

  static func number(
    _ name: String, _ path: WritableKeyPath<Target, Int?>, _ range: ClosedRange<Int>
  ) -> Self {
    Self(
      name, path, read: { $0.integer($1, in: range) }, print: { $0.map { .scalar(String($0)) } })
  }

  static func time(
    _ name: String, _ path: WritableKeyPath<Target, Duration>,
    _ range: ClosedRange<Duration> = NativeLimits.times
  ) -> Self {
    Self(
      name, path, read: { $0.duration($1, in: range) },
      print: { .scalar(HAProxyUnits.print($0)) })
  }

  /// What is not said is not set, so 0 would mean nothing else.
  static func optionalTime(_ name: String, _ path: WritableKeyPath<Target, Duration?>) -> Self {
    Self(
      name, path,
      read: { reader, value in reader.duration(value, in: NativeLimits.times).map { .some($0) } },
      print: { $0.map { .scalar(HAProxyUnits.print($0)) } })
  }

  /// 0 stands for none.
  static func time(_ name: String, _ path: WritableKeyPath<Target, Duration?>) -> Self {
    Self(
      name, path,
      read: { reader, value in
        let range = Duration.zero...NativeLimits.times.upperBound
        guard let time = reader.duration(value, in: range) else { return nil }
        return .some(time == .zero ? nil : time)
      },
      print: { .scalar($0.map(HAProxyUnits.print) ?? "0") })
  }
}

enum NativeLimits {
  static let bytes = 1 << 20
  static let nesting = 32
  static let times: ClosedRange<Duration> =
    .milliseconds(1) ... .milliseconds(HAProxyUnits.maximumMilliseconds)
}
