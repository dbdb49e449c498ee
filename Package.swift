// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours is built in Swift 6 mode and treats warnings as errors.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "fairlead",
  products: [
    .library(name: "Configuration", targets: ["Configuration"])
  ],
  targets: [
    .target(name: "Configuration", swiftSettings: strict),
    .testTarget(
      name: "ConfigurationTests", dependencies: ["Configuration"],
      resources: [.copy("Fixtures")], swiftSettings: strict),
  ]
)
