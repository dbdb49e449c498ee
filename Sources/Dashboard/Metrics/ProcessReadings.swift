// What the kernel says of this process, under the names that every Prometheus client uses.

import Glibc

struct ProcessReadings {
  var cpu_s = 0.0
  var resident_bytes = 0
  var virtual_bytes = 0
  var openDescriptors = 0
  var descriptorLimit = 0

  /// Zero for what cannot be read.
  static var now: ProcessReadings {
    var readings = ProcessReadings()
    var usage = rusage()
    if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
      readings.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
    let pages = words(of: "/proc/self/statm").prefix(2).compactMap { Int($0) }
    if pages.count == 2 {
      let size = sysconf(Int32(_SC_PAGESIZE))
      readings.virtual_bytes = pages[0] * size
      readings.resident_bytes = pages[1] * size
    }
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      readings.descriptorLimit = Int(clamping: limit.rlim_cur)
    }
    readings.openDescriptors = count("/proc/self/fd")
    return readings
  }

  private static func seconds(_ time: timeval) -> Double {
    Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000
  }

  private static func words(of path: String) -> [Substring] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = read(file, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: " ")
  }

  /// Entries of a folder, without the one that reading it takes.
  private static func count(_ path: String) -> Int {
    guard let folder = opendir(path) else { return 0 }
    defer { closedir(folder) }
    var count = -3
    while readdir(folder) != nil { count += 1 }
    return max(0, count)
  }
}
