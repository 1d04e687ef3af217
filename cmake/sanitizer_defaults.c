/* Defaults of the sanitizers, read by their run-time libraries at start; ASAN_OPTIONS and the like still override them. */

const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);
const char *__tsan_default_options(void);
const char *__tsan_default_suppressions(void);

/* A std::vector that LLVM or Halide grew carries no annotations, so its use by our code looks like an overflow. */
const char *__asan_default_options(void) { return "detect_container_overflow=0:strict_string_checks=1"; }

/* Both libraries keep registries for the life of the process. */
const char *__lsan_default_suppressions(void) { return "leak:libHalide.so\nleak:libLLVM\n"; }

const char *__tsan_default_options(void) { return "halt_on_error=1"; }

/* Locks made of atomics inside uninstrumented code are invisible. So are those that LLVM takes, some of which its inline
 * functions give back in our object loader. Halide runs our generators on stacks of its own (swapcontext), and the next
 * thread's may lie where the last one's was. oneDNN's threads are OpenMP's, whose barriers cannot be seen; nor can those
 * of the kernel runtime in a library that a test compiles as a user would, without the sanitizer. */
const char *__tsan_default_suppressions(void) {
    return "called_from_lib:libHalide.so\ncalled_from_lib:libLLVM\nmutex:object_loader.cpp\n"
           "race:convc::compile_kernel\nrace:libdnnl.so\nrace:library.so\n";
}
