// What a library of several targets calls NAME, NAME_pack, ...: functions that pass their arguments on to the variant
// that this process runs. entry_point.h is the interface, this file only keeps LLVM's headers out of it.
#pragma once

#include <llvm/IR/Module.h>

#include "compiler/codegen/entry_point.h"

namespace convc {

// `module` holds the entry points of no variant, NAME.none, NAME.none_pack, ...; beside each goes the public function
// of the same type, so that what those take and return is said in entry_module.cpp alone.
void add_dispatchers(llvm::Module &module, const EntryPoints &entry);

}  // namespace convc
