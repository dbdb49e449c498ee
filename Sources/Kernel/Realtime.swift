// Memory that is not swapped out and a thread that is not kept waiting: mlockall(2), sched(7).

import CLinux

/// A thread's scheduling policy and priority.
public struct Scheduling: Equatable, Sendable {
  /// SCHED_OTHER 0, SCHED_FIFO 1, SCHED_RR 2, SCHED_BATCH 3, SCHED_IDLE 5.
  public let policy: Int32
  /// 1...99 for SCHED_FIFO and SCHED_RR, otherwise 0.
  public let priority: Int32

  public static let standard = Scheduling(policy: 0, priority: 0)

  /// SCHED_RR; `priority` outside 1...99 is refused by `apply()`.
  public static func roundRobin(priority: Int32) -> Scheduling {
    Scheduling(policy: 2, priority: priority)
  }

  /// The calling thread's.
  public static func current() throws(KernelError) -> Scheduling {
    var policy: Int32 = 0
    var priority: Int32 = 0
    try KernelError.check(fl_thread_schedule(&policy, &priority), "sched_getscheduler")
    return Scheduling(policy: policy, priority: priority)
  }

  /// Schedules the calling thread so. What it starts runs with the standard policy. Throws EPERM
  /// without CAP_SYS_NICE or RLIMIT_RTPRIO, EINVAL for a priority the policy does not have.
  public func apply() throws(KernelError) {
    try KernelError.check(fl_thread_set_schedule(policy, priority), "sched_setscheduler")
  }
}

public enum ProcessMemory {
  /// Keeps every page in memory once it was touched (mlockall(2) with MCL_CURRENT, MCL_FUTURE
  /// and MCL_ONFAULT: reserved and unused pages cost nothing). Throws EPERM or ENOMEM without
  /// CAP_IPC_LOCK and beyond RLIMIT_MEMLOCK.
  public static func lock() throws(KernelError) {
    try KernelError.check(fl_lock_memory(1), "mlockall")
  }

  public static func unlock() throws(KernelError) {
    try KernelError.check(fl_lock_memory(0), "munlockall")
  }
}
