// What is going to happen, in order of time; what happens at the same moment keeps the order in
// which it was decided.

/// A binary heap.
struct EventQueue<Event> {
  private struct Item {
    var time_us: Int64
    var number: UInt64
    var event: Event

    func precedes(_ other: Item) -> Bool {
      time_us == other.time_us ? number < other.number : time_us < other.time_us
    }
  }

  private var items: [Item] = []
  private var next: UInt64 = 0

  mutating func push(_ event: Event, at time_us: Int64) {
    items.append(Item(time_us: time_us, number: next, event: event))
    next += 1
    var child = items.count - 1
    while child > 0, items[child].precedes(items[(child - 1) / 2]) {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func pop() -> (time_us: Int64, event: Event)? {
    guard let first = items.first else { return nil }
    let last = items.removeLast()
    guard !items.isEmpty else { return (first.time_us, first.event) }
    items[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < items.count else { break }
      if child + 1 < items.count, items[child + 1].precedes(items[child]) { child += 1 }
      guard items[child].precedes(items[parent]) else { break }
      items.swapAt(child, parent)
      parent = child
    }
    return (first.time_us, first.event)
  }
}
