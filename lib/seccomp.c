#include "lib/seccomp.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
#define MACHINE AUDIT_ARCH_X86_64
#define FIRST_OF_X32 0x40000000U
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#elif defined(__i386__)
#define MACHINE AUDIT_ARCH_I386
#elif defined(__arm__)
#define MACHINE AUDIT_ARCH_ARM
#endif

static const int system_calls[] = {
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_syslog,
    SYS_acct,
    SYS_quotactl,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_fanotify_init,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_vhangup,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_ioperm
    SYS_ioperm,
    SYS_iopl,
#endif
};

static const int tracing_calls[] = {SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
                                    SYS_kcmp, SYS_pidfd_getfd};

static const int program_calls[] = {
    SYS_execve,
    SYS_execveat,
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
#endif
};

#define FAIL_WITH(error) (SECCOMP_RET_ERRNO | (error))
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static void step(struct seccomp_filter *f, struct sock_filter s) {
    assert(f->count < SECCOMP_STEPS_MAX);
    f->steps[f->count++] = s;
}

static void load(struct seccomp_filter *f, size_t offset) {
    step(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void end_with(struct seccomp_filter *f, uint32_t verdict) {
    step(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
}

/* What is loaded, compared: not so passes over the next step. */
static void unless(struct seccomp_filter *f, uint16_t comparison, uint32_t value) {
    step(f, (struct sock_filter)BPF_JUMP(BPF_JMP | comparison | BPF_K, value, 0, 1));
}

static void deny(struct seccomp_filter *f, const int *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        unless(f, BPF_JEQ, (uint32_t)calls[i]);
        end_with(f, FAIL_WITH(EPERM));
    }
}

/* A C library that is told there is no clone3 takes clone, whose flags can be looked at. */
static void deny_processes(struct seccomp_filter *f) {
    unless(f, BPF_JEQ, SYS_clone3);
    end_with(f, FAIL_WITH(ENOSYS));
    step(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4));
    load(f, offsetof(struct seccomp_data, args[0]));
    unless(f, BPF_JSET, CLONE_THREAD);
    end_with(f, SECCOMP_RET_ALLOW);
    end_with(f, FAIL_WITH(EPERM));
}

void seccomp_make(unsigned denials, struct seccomp_filter *out) {
    out->count = 0;
    load(out, offsetof(struct seccomp_data, arch));
    step(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0));
    end_with(out, FAIL_WITH(ENOSYS));
    load(out, offsetof(struct seccomp_data, nr));
#ifdef FIRST_OF_X32
    unless(out, BPF_JGE, FIRST_OF_X32);
    end_with(out, FAIL_WITH(ENOSYS));
#endif
    if (denials & SECCOMP_SYSTEM) deny(out, system_calls, COUNT(system_calls));
    if (denials & SECCOMP_TRACING) deny(out, tracing_calls, COUNT(tracing_calls));
    if (denials & SECCOMP_PROGRAMS) deny(out, program_calls, COUNT(program_calls));
    if (denials & SECCOMP_PROGRAMS) deny_processes(out);
    end_with(out, SECCOMP_RET_ALLOW);
}

bool seccomp_available(void) {
    uint32_t action = SECCOMP_RET_ERRNO;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int seccomp_enter(const struct seccomp_filter *filter) {
    struct sock_fprog program = {.len = (unsigned short)filter->count,
                                 .filter = (struct sock_filter *)(uintptr_t)filter->steps};
    long failed =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    return failed == 0 ? 0 : failed > 0 ? EBUSY : errno;
}
