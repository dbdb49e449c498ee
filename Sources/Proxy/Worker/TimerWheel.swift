// One timer per session, in a wheel of three levels (1 ms, 256 ms, 65.5 s a slot).
// Timers are lazy: activity only stores a time in the session, and a timer that fires early
// is put back at the session's real deadline. Refreshing costs one store, cancelling O(1).

import Kernel

/// Link fields of a timer, part of each session. `slot` 0 means that it is not linked.
struct TimerLinks: BitwiseCopyable {
  var next: UInt32 = TimerWheel.none
  var previous: UInt32 = TimerWheel.none
  var slot: UInt16 = 0
  /// Milliseconds of the worker's clock at which the timer fires.
  var due_ms: Int64 = 0
}

struct TimerWheel: ~Copyable {
  static let none = UInt32.max
  private static let slotsPerLevel = 256
  private static let levels = 3

  /// Slot numbers start at 1 so that 0 can mean "not linked".
  private let heads: UnsafeMutablePointer<UInt32>
  private let sessions: UnsafeMutablePointer<Session>
  /// The last millisecond whose slot has been emptied.
  private var current_ms: Int64
  private var linked = 0
  /// A bit per slot of levels 0 and 1 that may hold timers: four words each.
  private let occupied: UnsafeMutablePointer<UInt64>

  init(sessions: UnsafeMutablePointer<Session>, now_ms: Int64) {
    self.sessions = sessions
    current_ms = now_ms
    let count = TimerWheel.slotsPerLevel * TimerWheel.levels + 2
    heads = .allocate(capacity: count)
    heads.initialize(repeating: TimerWheel.none, count: count)
    occupied = .allocate(capacity: 8)
    occupied.initialize(repeating: 0, count: 8)
  }

  deinit {
    heads.deallocate()
    occupied.deallocate()
  }

  private static var overflowSlot: Int { slotsPerLevel * levels + 1 }

  /// Makes the timer fire no later than `due_ms`. An earlier one stays as it is: it will find
  /// out by itself that it is early.
  mutating func arm(_ index: UInt32, due_ms: Int64) {
    let links = sessions[Int(index)].timer
    if links.slot != 0 {
      if links.due_ms <= due_ms { return }
      unlink(index)
    }
    link(index, due_ms: max(due_ms, current_ms + 1))
  }

  mutating func cancel(_ index: UInt32) {
    if sessions[Int(index)].timer.slot != 0 { unlink(index) }
  }

  private mutating func link(_ index: UInt32, due_ms: Int64) {
    let slot = self.slot(for: due_ms)
    let session = sessions + Int(index)
    session.pointee.timer.due_ms = due_ms
    session.pointee.timer.slot = UInt16(slot)
    session.pointee.timer.previous = TimerWheel.none
    let head = heads[slot]
    session.pointee.timer.next = head
    if head != TimerWheel.none { sessions[Int(head)].timer.previous = index }
    heads[slot] = index
    linked += 1
    if slot <= 2 * TimerWheel.slotsPerLevel {
      occupied[(slot - 1) >> 6] |= 1 << UInt64((slot - 1) & 63)
    }
  }

  private mutating func unlink(_ index: UInt32) {
    let links = sessions[Int(index)].timer
    if links.previous == TimerWheel.none {
      heads[Int(links.slot)] = links.next
    } else {
      sessions[Int(links.previous)].timer.next = links.next
    }
    if links.next != TimerWheel.none { sessions[Int(links.next)].timer.previous = links.previous }
    sessions[Int(index)].timer.slot = 0
    linked -= 1
  }

  /// A slot holds one moment (level 0) or a span whose timers are dealt out when it begins.
  private func slot(for due_ms: Int64) -> Int {
    if due_ms >> 8 == current_ms >> 8 || due_ms - current_ms < 256 {
      return 1 + Int(due_ms & 255)
    }
    if (due_ms >> 8) - (current_ms >> 8) < 256 { return 257 + Int((due_ms >> 8) & 255) }
    if (due_ms >> 16) - (current_ms >> 16) < 256 { return 513 + Int((due_ms >> 16) & 255) }
    return TimerWheel.overflowSlot
  }

  /// Milliseconds until something may be due, at most 65.5 s; -1 when nothing is linked.
  func wait_ms(at now_ms: Int64) -> Int32 {
    linked == 0 ? -1 : Int32(clamping: max(0, nextMoment - now_ms))
  }

  /// The next moment at which a timer may be due or a span's timers have to be dealt out. Empty
  /// spans of level 1 are passed over; where a span of level 2 begins is always such a moment.
  private var nextMoment: Int64 {
    let from = current_ms + 1
    if from & 255 != 0, let slot = nextOccupied(level: 0, from: Int(from & 255)) {
      return from - (from & 255) + Int64(slot)
    }
    let boundary = (current_ms | 255) + 1
    // Timers of level 0 that lie beyond the end of this span come soon after it.
    if nextOccupied(level: 0, from: 0) != nil { return boundary }
    let span = boundary >> 8
    if span & 255 == 0 { return boundary }
    let next = nextOccupied(level: 1, from: Int(span & 255)) ?? 256
    return (span - (span & 255) + Int64(next)) << 8
  }

  /// The first slot of a level, from `from` on, that may hold timers.
  private func nextOccupied(level: Int, from: Int) -> Int? {
    var word = from >> 6
    var bits = occupied[level * 4 + word] & (UInt64.max << UInt64(from & 63))
    while bits == 0 {
      word += 1
      if word == 4 { return nil }
      bits = occupied[level * 4 + word]
    }
    return word << 6 + bits.trailingZeroBitCount
  }

  private func clear(_ slot: Int) {
    occupied[(slot - 1) >> 6] &= ~(1 << UInt64((slot - 1) & 63))
  }

  /// An empty wheel has nothing to catch up with: a worker that was idle for days must not walk
  /// through each of their milliseconds when its next timer is armed.
  mutating func skipIfEmpty(to now_ms: Int64) {
    guard linked == 0, now_ms > current_ms else { return }
    current_ms = now_ms
    for word in 0..<8 { occupied[word] = 0 }
  }

  /// The next session whose timer is due, unlinked; nil when the wheel has caught up.
  mutating func popExpired(at now_ms: Int64) -> UInt32? {
    if linked == 0 {
      skipIfEmpty(to: now_ms)
      return nil
    }
    while true {
      let slot = 1 + Int(current_ms & 255)
      let head = heads[slot]
      if head != TimerWheel.none, sessions[Int(head)].timer.due_ms <= current_ms {
        unlink(head)
        return head
      }
      if head == TimerWheel.none { clear(slot) }
      if current_ms >= now_ms { return nil }
      let next = nextMoment
      current_ms = min(next, now_ms)
      if next <= now_ms, next & 255 == 0 { cascade() }
    }
  }

  private mutating func cascade() {
    if current_ms & 0xFFFF == 0 {
      if current_ms & 0xFF_FFFF == 0 { redistribute(TimerWheel.overflowSlot) }
      redistribute(513 + Int((current_ms >> 16) & 255))
    }
    redistribute(257 + Int((current_ms >> 8) & 255))
  }

  private mutating func redistribute(_ slot: Int) {
    var index = heads[slot]
    heads[slot] = TimerWheel.none
    if slot <= 2 * TimerWheel.slotsPerLevel { clear(slot) }
    while index != TimerWheel.none {
      let next = sessions[Int(index)].timer.next
      let due = sessions[Int(index)].timer.due_ms
      sessions[Int(index)].timer.slot = 0
      linked -= 1
      // A timer due at this very moment still finds its level-0 slot ahead of the reader.
      link(index, due_ms: max(due, current_ms))
      index = next
    }
  }
}
