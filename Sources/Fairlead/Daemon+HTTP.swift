// The dashboard of a running daemon: started, changed by reloads, stopped.

import Configuration
import Control
import Dashboard
import Failover
import Health
import Proxy

extension Daemon {
  /// Nil when HTTP is as it should be; otherwise the reason why not. The usual place may be taken:
  /// nobody asked for it.
  func startHTTP(_ configured: HTTPSettings?) async -> String? {
    let settings: HTTPSettings?
    do {
      settings = try httpOptions.settings(configured)
    } catch {
      return "\(error)"
    }
    guard let settings else { return nil }
    do {
      dashboard = try await DashboardServer.start(settings, source: dashboardSource)
    } catch {
      guard settings.address == nil else { return "\(error)" }
      tell(
        .dashboardUnavailable, .warning,
        "\(error); no dashboard ('http' in the file chooses another place)")
      return nil
    }
    httpSettings = settings
    startSampling()
    return nil
  }

  func stopHTTP() async {
    httpSettings = nil
    await dashboard?.stop()
    dashboard = nil
  }

  /// Why the new settings cannot be; nil when they can, as far as one can see.
  func checkHTTP(_ configured: HTTPSettings?) -> String? {
    do {
      if let settings = try httpOptions.settings(configured) {
        try DashboardServer.validate(settings)
      }
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// Pages come back by themselves. With TLS the files may have changed behind their names. A
  /// place that cannot be had leaves everything as it was; the result says so.
  func reloadHTTP(_ configured: HTTPSettings?) async -> String? {
    let new = try? httpOptions.settings(configured)
    let old = httpSettings
    if new == old, new?.certificate == nil { return nil }
    await stopHTTP()
    guard let problem = await startHTTP(configured) else { return nil }
    guard let old, let server = try? await DashboardServer.start(old, source: dashboardSource)
    else { return problem }
    dashboard = server
    httpSettings = old
    return "\(problem); it stays at \(server.url)"
  }

  /// What is in the way of serving; nil when nothing is.
  var obstacle: String? {
    if isServing { return nil }
    return engine == nil ? "starting" : "starting, draining or ending"
  }

  private var dashboardSource: DashboardSource {
    DashboardSource(
      report: { [weak self] in
        await self?.report() ?? StatusReport(program: Version.text, pid: 0, started: 0, now: 0)
      },
      carryOut: { [weak self] in await self?.answer($0) ?? .refused("the daemon ends") },
      obstacle: { [weak self] in
        guard let self else { return "ending" }
        return await self.obstacle
      },
      history: history,
      vocabulary: MetricsVocabulary(
        sessionEnds: SessionEnd.allCases.map(\.label),
        dropReasons: RouterStatus.dropReasons, checkResults: CheckStatus.allCases.map(\.code),
        pathStates: RouterHealth.allCases.map(\.rawValue)))
  }
}
