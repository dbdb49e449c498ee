// The numbers of nftables' netlink interface that we use, by their names in
// linux/netfilter/nfnetlink.h and nf_tables.h. Numbers in attributes are in network byte order,
// except where they are compared with what the kernel has in a register.

/// Types of messages: those of nf_tables carry the subsystem in their upper byte.
enum NetfilterMessage {
  static let batchBegin: UInt16 = 0x10
  static let batchEnd: UInt16 = 0x11
  static let newTable: UInt16 = 0xa00
  static let getTable: UInt16 = 0xa01
  static let deleteTable: UInt16 = 0xa02
  static let newChain: UInt16 = 0xa03
  static let newRule: UInt16 = 0xa06
  static let newSet: UInt16 = 0xa09
  static let newSetElements: UInt16 = 0xa0c
}

/// NFPROTO_*, NF_INET_* and verdicts.
enum Netfilter {
  static let noFamily: UInt8 = 0
  /// Rules for both IP versions.
  static let inet: UInt8 = 1
  static let ipv4: UInt8 = 2
  static let ipv6: UInt8 = 10
  /// NFNL_SUBSYS_NFTABLES: whom a batch is for.
  static let subsystem: UInt16 = 10
  static let localInput: UInt32 = 1
  static let drop: UInt32 = 0
  static let accept: UInt32 = 1
  static let appendFlag: UInt16 = 0x800
  /// NLA_F_NESTED.
  static let nested: UInt16 = 0x8000
}

/// NFTA_TABLE_* and NFT_TABLE_F_*.
enum TableAttribute {
  static let name: UInt16 = 1
  static let flags: UInt16 = 2
  static let userData: UInt16 = 6
  /// Only the socket that made it may change it: `nft flush ruleset` passes it over (5.12).
  static let ownerFlag: UInt32 = 0x2
  /// It outlives that socket, and then belongs to nobody (6.9).
  static let persistFlag: UInt32 = 0x4
}

/// NFTA_CHAIN_* and NFTA_HOOK_*.
enum ChainAttribute {
  static let table: UInt16 = 1
  static let name: UInt16 = 3
  static let hook: UInt16 = 4
  static let policy: UInt16 = 5
  static let type: UInt16 = 7
  static let hookNumber: UInt16 = 1
  static let hookPriority: UInt16 = 2
}

/// NFTA_SET_*, NFTA_SET_ELEM_LIST_* and NFT_SET_*.
enum SetAttribute {
  static let table: UInt16 = 1
  static let name: UInt16 = 2
  static let flags: UInt16 = 3
  static let keyType: UInt16 = 4
  static let keyLength: UInt16 = 5
  static let id: UInt16 = 10
  static let constantFlag: UInt32 = 0x2
  static let elementTable: UInt16 = 1
  static let elementSet: UInt16 = 2
  static let elements: UInt16 = 3
  static let elementKey: UInt16 = 1
  /// Numbers that the kernel keeps for nft(8), which prints elements by them.
  static let typeIPv4: UInt32 = 7
  static let typeIPv6: UInt32 = 8
  /// A concatenation: six bits for each of its parts, here IPv6 address and interface name.
  static let typeIPv6OnInterface: UInt32 = 8 << 6 | 41
}

/// NFTA_RULE_*, NFTA_EXPR_* and the attributes of single expressions.
enum RuleExpression {
  static let table: UInt16 = 1
  static let chain: UInt16 = 2
  static let expressions: UInt16 = 4
  /// NFTA_LIST_ELEM.
  static let item: UInt16 = 1
  static let name: UInt16 = 1
  static let data: UInt16 = 2
  /// NFTA_DATA_VALUE and NFTA_DATA_VERDICT.
  static let value: UInt16 = 1
  static let verdict: UInt16 = 2
  static let verdictCode: UInt16 = 1
  /// NFT_REG_VERDICT, NFT_REG_1 and NFT_REG_2, which lies 16 bytes behind.
  static let verdictRegister: UInt32 = 0
  static let first: UInt32 = 1
  static let second: UInt32 = 2
  /// NFT_META_*.
  static let inputInterface: UInt32 = 4
  static let inputName: UInt32 = 6
  static let family: UInt32 = 15
  static let transport: UInt32 = 16
  /// NFT_CMP_*.
  static let equal: UInt32 = 0
  static let atMost: UInt32 = 3
  static let atLeast: UInt32 = 5
  /// NFT_PAYLOAD_*_HEADER.
  static let networkHeader: UInt32 = 1
  static let transportHeader: UInt32 = 2
}
