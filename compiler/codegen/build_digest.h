// What a kernel's bytes depend on besides its plan and target: a digest of convc's own sources that make them and of
// libHalide. A version number would do for releases, but not while the sources change.
#pragma once

namespace convc {

const char *build_digest();

}  // namespace convc
