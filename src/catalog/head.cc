#include "catalog/head.h"

#include <algorithm>
#include <random>

#include "base/bytes.h"
#include "catalog/page.h"

namespace lazyvol::catalog {
namespace {

constexpr std::string_view kMagic = "lazyvol-head\n";
// Keeps a signature of a head from being one of anything else that the key may sign.
constexpr std::string_view kSigned = "lazyvol head signature 1\n";
constexpr std::uint8_t kUnsigned = 0, kEd25519 = 1;
// A root of one page is small enough for the best compression that is still quick to make.
constexpr int kRootLevel = 9;

Error damaged(std::string_view what) {
  return {Code::corrupt, "a head with " + std::string(what)};
}

Status put_root(base::ByteWriter& out, const std::string& root) {
  LAZYVOL_TRY_ASSIGN(const std::string stored, compress(root, kRootLevel));
  out.number(root.size());
  out.text(stored);
  return {};
}

Result<std::string> take_root(base::ByteReader& in, Tree tree) {
  const std::uint64_t raw = in.number();
  const std::string_view stored = in.text(kMaxPageBytes);
  if (in.failed() || raw > kMaxPageBytes) return damaged("no root");
  LAZYVOL_TRY_ASSIGN(std::string root, decompress(stored, static_cast<std::size_t>(raw)));
  base::ByteReader page(root);
  const PageHeader header = read_page_header(page);
  if (page.failed() || header.tree != tree) return damaged("a root that is no page");
  return root;
}

Status put_fields(base::ByteWriter& out, const Head& head) {
  const auto raw = [&](const auto& bytes) {
    for (const std::uint8_t byte : bytes) out.byte(byte);
  };
  raw(head.volume);
  out.number(head.sequence);
  raw(head.parent.bytes);
  out.signed_number(head.created_ns);
  out.signed_number(head.expires_ns);
  out.number(head.next_id);
  for (const auto number : {head.root.mode, head.root.uid, head.root.gid}) out.number(number);
  out.signed_number(head.root.mtime_ns);
  out.byte(static_cast<std::uint8_t>(head.chunking.leaf_log2));
  out.byte(static_cast<std::uint8_t>(head.chunking.interior_log2));
  out.number(head.frame_target);
  const Statistics& sums = head.statistics;
  for (const auto number : {sums.files, sums.directories, sums.symlinks, sums.small_files,
                            sums.bytes, sums.stored_bytes}) {
    out.number(number);
  }
  out.number(head.hot_packs.size());
  for (const HotPack& hot : head.hot_packs) {
    out.raw(hot.pack.view());
    out.number(hot.bytes);
  }
  LAZYVOL_TRY(put_root(out, head.roots.names));
  LAZYVOL_TRY(put_root(out, head.roots.ids));
  if (head.root.xattrs.empty()) return {};
  out.number(head.root.xattrs.size());
  for (const Xattr& xattr : head.root.xattrs) {
    out.text(xattr.name);
    out.text(xattr.value);
  }
  return {};
}

/// The last field; a head whose root has none ends before it.
Status take_xattrs(base::ByteReader& in, std::vector<Xattr>& xattrs) {
  if (in.at_end()) return {};
  const std::uint64_t count = in.number();
  if (count == 0 || count > kMaxXattrs) in.fail();
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    std::string name(in.text(kMaxName));
    xattrs.push_back({std::move(name), std::string(in.text(kMaxXattrBytes))});
  }
  if (in.failed() || !check_xattrs(xattrs).ok()) {
    return damaged("impossible extended attributes");
  }
  return {};
}

Result<Head> take_fields(base::ByteReader& in) {
  Head head;
  const std::string_view volume = in.raw(head.volume.size());
  std::copy(volume.begin(), volume.end(), head.volume.begin());
  head.sequence = in.number();
  head.parent = Digest::from(in.raw(32));
  head.created_ns = in.signed_number();
  head.expires_ns = in.signed_number();
  head.next_id = in.number();
  for (auto* number : {&head.root.mode, &head.root.uid, &head.root.gid}) *number = in.number32();
  head.root.mtime_ns = in.signed_number();
  head.chunking.leaf_log2 = in.byte();
  head.chunking.interior_log2 = in.byte();
  head.frame_target = in.number32();
  Statistics& sums = head.statistics;
  for (auto* number : {&sums.files, &sums.directories, &sums.symlinks, &sums.small_files,
                       &sums.bytes, &sums.stored_bytes}) {
    *number = in.number();
  }
  const std::uint64_t hot_packs = in.number();
  if (hot_packs > kMaxHotPacks) in.fail();
  for (std::uint64_t i = 0; i < hot_packs && !in.failed(); ++i) {
    const Digest pack = Digest::from(in.raw(32));
    head.hot_packs.push_back({pack, in.number32()});
  }
  if (in.failed() || head.root.mode > 07777 || head.sequence == 0 || head.next_id <= kRootNode ||
      !check_chunking(head.chunking).ok()) {
    return damaged("impossible fields");
  }
  LAZYVOL_TRY_ASSIGN(head.roots.names, take_root(in, Tree::names));
  LAZYVOL_TRY_ASSIGN(head.roots.ids, take_root(in, Tree::ids));
  if (!in.failed()) LAZYVOL_TRY(take_xattrs(in, head.root.xattrs));
  if (in.failed() || !in.at_end()) return damaged("bytes that nothing accounts for");
  return head;
}

std::string to_sign(std::string_view body) {
  return std::string(kSigned).append(body);
}

}  // namespace

std::string revision_path(std::uint64_t sequence) {
  return "revisions/" + std::to_string(sequence);
}

VolumeUuid random_uuid() {
  VolumeUuid uuid{};
  std::random_device random;
  for (std::uint8_t& byte : uuid) byte = static_cast<std::uint8_t>(random());
  return uuid;
}

Result<std::string> encode_head(const Head& head, const SecretKey* key) {
  LAZYVOL_TRY(check_chunking(head.chunking));
  LAZYVOL_TRY(check_xattrs(head.root.xattrs));
  if (head.sequence == 0 || head.next_id <= kRootNode || head.root.mode > 07777 ||
      head.hot_packs.size() > kMaxHotPacks) {
    return Error{Code::invalid_argument, "a head with impossible fields"};
  }
  base::ByteWriter body;
  body.raw(kMagic);
  body.little(kHeadFormat, 4);
  LAZYVOL_TRY(put_fields(body, head));
  body.byte(key != nullptr ? kEd25519 : kUnsigned);
  if (key != nullptr) body.raw(key->public_key().view());
  std::string document(body.view());
  if (key != nullptr) {
    const Signature signature = key->sign(to_sign(body.view()));
    document.append(reinterpret_cast<const char*>(signature.data()), signature.size());
  } else {
    document.append(sha256(to_sign(body.view())).view());
  }
  if (document.size() > kMaxHeadBytes) return Error{Code::too_large, "a head of over 1 MiB"};
  return document;
}

namespace {

struct Proof {
  std::string_view fields;
  std::optional<PublicKey> signer;
};

// Which of the two ends a document has cannot be told from the front, so both are tried: only one
// can verify.
Result<Proof> verify_proof(std::string_view document, std::size_t fields_at) {
  constexpr std::size_t kPlainEnd = 1 + 32, kSignedEnd = 1 + 32 + 64;
  const std::size_t size = document.size();
  if (size >= fields_at + kSignedEnd && document[size - kSignedEnd] == kEd25519) {
    PublicKey signer;
    Signature signature{};
    std::copy_n(document.end() - 96, signer.bytes.size(), signer.bytes.begin());
    std::copy_n(document.end() - 64, signature.size(), signature.begin());
    if (signer.verify(to_sign(document.substr(0, size - 64)), signature)) {
      return Proof{document.substr(fields_at, size - kSignedEnd - fields_at), signer};
    }
  }
  if (size >= fields_at + kPlainEnd && document[size - kPlainEnd] == kUnsigned &&
      sha256(to_sign(document.substr(0, size - 32))).view() == document.substr(size - 32)) {
    return Proof{document.substr(fields_at, size - kPlainEnd - fields_at), std::nullopt};
  }
  return damaged("a signature or checksum that is not its own");
}

}  // namespace

Result<HeadDocument> parse_head(std::string_view document) {
  if (document.size() > kMaxHeadBytes) return damaged("more than 1 MiB");
  base::ByteReader in(document);
  if (in.raw(kMagic.size()) != kMagic) return damaged("another beginning than a head has");
  const std::uint64_t format = in.little(4);
  if (in.failed()) return damaged("no format");
  if (format != kHeadFormat) {
    return Error{Code::unsupported,
                 "the volume has format " + std::to_string(format) + ", and this lazyvol reads " +
                     std::to_string(kHeadFormat) +
                     (format > kHeadFormat ? ": a newer one is needed" : " only")};
  }
  LAZYVOL_TRY_ASSIGN(const Proof proof, verify_proof(document, kMagic.size() + 4));
  base::ByteReader fields(proof.fields);
  LAZYVOL_TRY_ASSIGN(Head head, take_fields(fields));
  return HeadDocument{std::move(head), sha256(document), proof.signer};
}

}  // namespace lazyvol::catalog
