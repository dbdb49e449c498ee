// Routes and rules, as far as a router treats them alike: it holds them while it is master.

import Configuration

protocol KernelPath: Equatable {
  /// For messages: "a route".
  static var word: String { get }
  func add(by keeper: AddressKeeper) throws(NetlinkError)
  func remove(by keeper: AddressKeeper) throws(NetlinkError)
}

extension VirtualRoute: KernelPath {
  static var word: String { "a route" }
  func add(by keeper: AddressKeeper) throws(NetlinkError) { _ = try keeper.add(self) }
  func remove(by keeper: AddressKeeper) throws(NetlinkError) { _ = try keeper.remove(self) }
}

extension VirtualRule: KernelPath {
  static var word: String { "a rule" }
  func add(by keeper: AddressKeeper) throws(NetlinkError) { _ = try keeper.add(self) }
  func remove(by keeper: AddressKeeper) throws(NetlinkError) { _ = try keeper.remove(self) }
}
