// Errors, owned descriptors, memory, clocks and threads.

import Glibc
import Synchronization
import Testing

@testable import Kernel

@Suite struct SystemTests {
  @Test func errors() throws {
    let error = KernelError(call: "bind", code: EADDRINUSE)
    #expect("\(error)" == "bind: Address already in use")
    #expect(KernelError.text(of: 99_999) == "Unknown error")
    #expect(try KernelError.check(3, "call") == 3)
    #expect(throws: KernelError(call: "call", code: EPERM)) {
      try KernelError.check(-EPERM, "call")
    }
    #expect(IOResult(-11).isWouldBlock && !IOResult(-11).isError)
    #expect(IOResult(-32).isError && IOResult(-32).errorCode == 32)
    #expect(!IOResult(0).isError && IOResult(5).errorCode == 0)
  }

  @Test func descriptorsCloseOnceOrAreHandedOn() throws {
    let first = try EventDescriptor.open()
    let number = first.raw
    #expect(fcntl(number, F_GETFD) == FD_CLOEXEC)
    let raw = first.release()
    #expect(raw == number && fcntl(raw, F_GETFD) >= 0)
    FileDescriptor(owning: raw).close()
  }

  @Test func droppedDescriptorsStopTheProgram() async {
    await #expect(processExitsWith: .failure) {
      _ = FileDescriptor(owning: 0)
    }
  }

  @Test func reservedMemoryIsZeroedAndCheap() throws {
    // 8 GB of address space, of which two pages are touched.
    let memory = try ReservedMemory<UInt64>(capacity: 1 << 30)
    #expect(memory.capacity == 1 << 30)
    #expect(memory.base[0] == 0 && memory.base[(1 << 30) - 1] == 0)
    memory.base[(1 << 30) - 1] = 42
    #expect(memory.base[(1 << 30) - 1] == 42)
  }

  @Test func exhaustedAddressSpaceIsAnError() {
    #expect(throws: KernelError(call: "mmap", code: ENOMEM)) {
      _ = try ReservedMemory<UInt64>(capacity: 1 << 55)
    }
  }

  @Test func clocks() {
    let a = Clock.monotonic_us()
    #expect(Clock.monotonic_us() >= a)
    let time = Clock.utc(1_795_224_966)
    #expect([time.year, time.month, time.day] == [2026, 11, 21])
    #expect([time.hour, time.minute, time.second] == [1, 36, 6])
    #expect(time.offset_minutes == 0)
  }

  @Test func threadsRunAndJoin() throws {
    final class Box: Sendable { let value = Atomic<Int>(0) }
    let box = Box()
    let thread = try System.startThread(named: "a name longer than fifteen bytes") {
      box.value.store(42, ordering: .sequentiallyConsistent)
    }
    thread.join()
    #expect(box.value.load(ordering: .sequentiallyConsistent) == 42)
    #expect(System.cpuCount >= 1)
    #expect(System.descriptorLimit.soft > 0)
    #expect(!System.hostName.isEmpty && !System.hostName.contains("."))
  }

  @Test func writesToPipes() throws {
    let pipe = try #require(KernelPipe.open(capacity: 4096))
    defer { Socket.close(pipe.read) }
    #expect(System.isWritable(pipe.write, timeout_ms: 0))
    let page = [UInt8](repeating: 1, count: 4096)
    while page.withUnsafeBytes({ System.write(pipe.write, $0) }).raw > 0 {}
    #expect(!System.isWritable(pipe.write, timeout_ms: 0))
    #expect(page.withUnsafeBytes { System.write(pipe.write, $0) }.isWouldBlock)
    Socket.close(pipe.write)
  }
}
