// fairlead-fuzz MODE COUNT SEED: feeds generated inputs to the parsers and decoders.

import Glibc

let words = CommandLine.arguments.dropFirst()
guard words.count == 3, words.first == "packets", let count = Int(words[words.startIndex + 1]),
  let seed = UInt64(words[words.startIndex + 2])
else {
  print("usage: fairlead-fuzz packets COUNT SEED")
  exit(2)
}
exit(runPacketFuzz(count: count, seed: seed) ? 0 : 1)
