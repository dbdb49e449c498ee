// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours is built in Swift 6 mode and treats warnings as errors.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
]

let nio: [Target.Dependency] = [
  .product(name: "NIOCore", package: "swift-nio"),
  .product(name: "NIOPosix", package: "swift-nio"),
]

/// The parts of the dashboard's page; they become part of the binary.
let dashboardPage: [Resource] = [
  "page.html", "page.css", "model.js", "charts.js", "topology.js", "panels.js", "stream.js",
].map { .embedInCode("Page/\($0)") }

let package = Package(
  name: "fairlead",
  products: [
    .executable(name: "fairlead", targets: ["Fairlead"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
    // Without its traits: neither all of Foundation nor a package whose module has the name of
    // ours, Configuration.
    .package(
      url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1",
      traits: ["ConfigurationSupport"]),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
    // Without its Foundation trait, which nothing here needs.
    .package(
      url: "https://github.com/swiftlang/swift-subprocess.git", from: "1.0.2", traits: []),
  ],
  targets: [
    .target(
      name: "Configuration", dependencies: [.product(name: "Yams", package: "Yams")],
      swiftSettings: strict),
    .target(name: "CLinux"),
    .target(name: "Kernel", dependencies: ["CLinux"], swiftSettings: strict),
    .target(name: "VRRP", swiftSettings: strict),
    .target(name: "Proxy", dependencies: ["Configuration", "Kernel"], swiftSettings: strict),
    .target(
      name: "Health",
      dependencies: nio + [
        "Configuration",
        .product(name: "NIOTLS", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ], swiftSettings: strict),
    .target(
      name: "Resolution", dependencies: nio + ["Configuration"], swiftSettings: strict),
    .target(
      name: "Failover",
      dependencies: [
        "Configuration", "Kernel", "VRRP",
        .product(name: "Subprocess", package: "swift-subprocess"),
      ], swiftSettings: strict),
    .target(
      name: "Telemetry", dependencies: ["Configuration", "Kernel", "Proxy"],
      swiftSettings: strict),
    .target(name: "Control", dependencies: nio, swiftSettings: strict),
    .target(
      name: "Doctor",
      dependencies: nio + [
        "Configuration", "Failover", "Health", "Kernel", "Resolution", "VRRP",
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOTLS", package: "swift-nio"),
      ], swiftSettings: strict),
    .target(
      name: "Dashboard",
      dependencies: nio + [
        "Configuration", "Control",
        .product(
          name: "Hummingbird", package: "hummingbird",
          moduleAliases: ["Configuration": "SwiftConfiguration"]),
        .product(
          name: "HummingbirdTLS", package: "hummingbird",
          moduleAliases: ["Configuration": "SwiftConfiguration"]),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      resources: dashboardPage, swiftSettings: strict),
    .target(
      name: "StandIn",
      dependencies: nio + [
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "X509", package: "swift-certificates"),
        .product(name: "Crypto", package: "swift-crypto"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "Fairlead",
      dependencies: nio + [
        "Configuration", "Control", "Dashboard", "Doctor", "Failover", "Health", "Kernel", "Proxy",
        "Resolution", "StandIn", "Telemetry",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ], swiftSettings: strict),
    .testTarget(
      name: "FairleadTests", dependencies: ["Fairlead", "StandIn"], swiftSettings: strict),
    .testTarget(
      name: "ConfigurationTests", dependencies: ["Configuration", "FuzzInputs"],
      resources: [.copy("Fixtures")], swiftSettings: strict),
    .testTarget(name: "ControlTests", dependencies: ["Control"], swiftSettings: strict),
    .testTarget(
      name: "DoctorTests", dependencies: ["Configuration", "Doctor", "VRRP"],
      swiftSettings: strict),
    .testTarget(
      name: "DashboardTests", dependencies: nio + ["Dashboard", "Configuration", "Control"],
      swiftSettings: strict),
    .testTarget(
      name: "HealthTests",
      dependencies: nio + [
        "Health", "Configuration", .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ], swiftSettings: strict),
    .testTarget(
      name: "FailoverTests", dependencies: ["Failover", "Configuration", "Kernel", "VRRP"],
      swiftSettings: strict),
    .target(
      name: "VRRPSimulation", dependencies: ["VRRP"], path: "Tests/Simulation/Network",
      swiftSettings: strict),
    .executableTarget(
      name: "fairlead-simulation", dependencies: ["VRRPSimulation"],
      path: "Tests/Simulation/Command", swiftSettings: strict),
    .target(
      name: "FuzzInputs", dependencies: ["VRRP"], path: "Fuzz/Inputs", swiftSettings: strict),
    .executableTarget(
      name: "fairlead-fuzz", dependencies: ["Configuration", "FuzzInputs", "VRRP"],
      path: "Fuzz/Command",
      swiftSettings: strict),
    .testTarget(
      name: "VRRPTests", dependencies: ["VRRP", "VRRPSimulation", "FuzzInputs"],
      swiftSettings: strict),
    .testTarget(name: "KernelTests", dependencies: ["Kernel"], swiftSettings: strict),
    .testTarget(
      name: "ProxyTests", dependencies: ["Proxy", "Kernel", "Configuration"],
      swiftSettings: strict),
    .testTarget(
      name: "TelemetryTests", dependencies: ["Telemetry", "Proxy", "Kernel", "Configuration"],
      swiftSettings: strict),
    .testTarget(
      name: "ResolutionTests", dependencies: nio + ["Resolution", "Configuration"],
      swiftSettings: strict),
  ]
)
