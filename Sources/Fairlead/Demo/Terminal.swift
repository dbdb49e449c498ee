// The terminal: its size, styled text cut to its width, and frames drawn in place.

import Glibc

/// A look, as an ANSI select-graphic-rendition parameter.
enum Style: String, Sendable {
  case plain = ""
  case bold = "1"
  case dim = "2"
  case good = "1;32"
  case bad = "1;31"
  case busy = "1;33"
  case name = "1;36"
}

struct Span: Sendable {
  var text: String
  var style: Style
  init(_ text: String, _ style: Style = .plain) {
    self.text = text
    self.style = style
  }
}

/// One line of a frame.
struct Row: Sendable, ExpressibleByArrayLiteral {
  var spans: [Span]
  init(arrayLiteral elements: Span...) { spans = elements }
  init(_ spans: [Span] = []) { self.spans = spans }

  var width: Int { spans.reduce(0) { $0 + $1.text.count } }

  /// The row, padded or cut to `width` columns.
  func fitted(_ width: Int) -> Row {
    var row = cut(width)
    let missing = width - row.width
    if missing > 0 { row.spans.append(Span(String(repeating: " ", count: missing))) }
    return row
  }

  func cut(_ width: Int) -> Row {
    var left = max(0, width)
    var result: [Span] = []
    for span in spans where left > 0 {
      let text = span.text.count > left ? String(span.text.prefix(left)) : span.text
      left -= text.count
      result.append(Span(text, span.style))
    }
    return Row(result)
  }

  /// Cut where it is longer than that, with a mark that tells so.
  func shortened(to width: Int?) -> Row {
    guard let width, self.width > width, width > 0 else { return self }
    return cut(width - 1) + [Span("…", .dim)]
  }

  static func + (a: Row, b: Row) -> Row { Row(a.spans + b.spans) }

  func rendered(color: Bool) -> String {
    spans.map { span in
      color && span.style != .plain
        ? "\u{1b}[\(span.style.rawValue)m\(span.text)\u{1b}[0m" : span.text
    }.joined()
  }
}

/// The terminal on standard output.
struct Terminal: Sendable {
  /// Colours are wanted: `NO_COLOR` is not set (no-color.org).
  let color: Bool
  /// Lines and arrows beyond ASCII can be shown.
  let unicode: Bool

  /// nil when standard output is no terminal that can be drawn on.
  static func onStandardOutput() -> Terminal? {
    guard isatty(1) == 1 else { return nil }
    let type = variable("TERM") ?? ""
    if type.isEmpty || type == "dumb" { return nil }
    let locale =
      [variable("LC_ALL"), variable("LC_CTYPE"), variable("LANG")]
      .compactMap { $0 }.first { !$0.isEmpty }
    let name = (locale ?? "UTF-8").uppercased()
    return Terminal(
      color: (variable("NO_COLOR") ?? "").isEmpty,
      unicode: name.contains("UTF-8") || name.contains("UTF8"))
  }

  private static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  /// Columns and rows; 80 by 24 when the terminal does not know.
  var size: (columns: Int, rows: Int) {
    var size = winsize()
    guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return (80, 24)
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Changes to the alternate screen, so that what was there comes back, and hides the cursor.
  func open() { Console.write("\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J", to: 1) }

  /// Gives the cursor and the old screen back.
  func close() { Console.write("\u{1b}[0m\u{1b}[?25h\u{1b}[?1049l", to: 1) }

  /// Draws over the frame before. Skipped while the terminal takes nothing (Ctrl-S): the demo
  /// does not wait for it.
  func draw(_ rows: [Row]) {
    var wanted = pollfd(fd: 1, events: Int16(POLLOUT), revents: 0)
    guard poll(&wanted, 1, 0) == 1 else { return }
    let size = size
    let lines = rows.prefix(size.rows).map {
      $0.cut(size.columns).rendered(color: color) + "\u{1b}[K"
    }
    Console.write("\u{1b}[H" + lines.joined(separator: "\r\n") + "\u{1b}[J", to: 1)
  }
}
