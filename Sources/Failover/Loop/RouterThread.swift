// The body of the routers' thread: what has to be in place before the first turn of its loop.

import Configuration
import Kernel
import VRRP

enum RouterThread {
  /// `started` is called once: with nil when the routers run, otherwise with the reason.
  static func run(
    _ configuration: FailoverConfiguration, _ options: FailoverOptions, _ mailbox: LoopMailbox,
    _ output: LoopOutput, _ acceptance: AcceptanceFilter,
    publish: @escaping @Sendable ([RouterStatus]) -> Void,
    started: (String?) -> Void
  ) {
    let lock: NamespaceLock
    let loop: RouterLoop
    do {
      lock = try NamespaceLock.take()
    } catch {
      started("\(error)")
      return
    }
    defer { lock.release() }
    do {
      loop = try RouterLoop(mailbox: mailbox, output: output, publish: publish)
    } catch {
      started(explain(error))
      return
    }
    loop.removeLeftovers()
    // The rules are there before an address can be, and stay until the last one has gone.
    do throws(FailoverError) {
      if try acceptance.start(configuration) {
        loop.log(
          .notice, "removed packet filter rules, left behind by an earlier run", .vipLeftover)
      }
    } catch {
      started(error.description)
      return
    }
    defer { acceptance.stop() }
    if let problem = loop.apply(configuration) {
      started(problem)
      return
    }
    started(nil)
    prepare(options, loop)
    loop.run()
  }

  /// Real-time scheduling and locked memory are welcome, not needed: a refusal is worth a word
  /// only to who asked for them.
  private static func prepare(_ options: FailoverOptions, _ loop: RouterLoop) {
    if options.realtimePriority > 0 {
      do throws(KernelError) {
        try Scheduling.roundRobin(priority: Int32(options.realtimePriority)).apply()
      } catch {
        loop.log(
          options.isExplicit ? .warning : .info,
          "the VRRP thread runs without real-time priority (\(error); CAP_SYS_NICE allows it)",
          options.isExplicit ? .vipProblem : .vipNote)
      }
    }
    if options.locksMemory {
      do throws(KernelError) { try ProcessMemory.lock() } catch {
        loop.log(
          options.isExplicit ? .warning : .info,
          "memory is not locked (\(error); CAP_IPC_LOCK allows it)",
          options.isExplicit ? .vipProblem : .vipNote)
      }
    }
  }

  private static func explain(_ error: any Error) -> String {
    if let error = error as? KernelError, error.code == 1 {
      return "\(error): virtual addresses need root, or CAP_NET_ADMIN and CAP_NET_RAW"
    }
    return "\(error)"
  }
}
