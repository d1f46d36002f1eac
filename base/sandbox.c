/*
 * See sandbox.h: Landlock and seccomp by their system calls. Builds with sanitizers do without: the leak check at the end
 * starts a process that traces this one.
 */
#include "base/sandbox.h"

#ifdef ANKISYNC_SANITIZE

int sandbox_files(const char *file, const char *folder, struct err *e)
{
	(void)file;
	(void)folder;
	(void)e;
	return 0;
}

int sandbox_calls(struct err *e)
{
	(void)e;
	return 0;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#if __has_include(<linux/landlock.h>)
#include <linux/landlock.h>
#endif

static int no_new_privileges(struct err *e)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : err_errno(e, "PR_SET_NO_NEW_PRIVS");
}

#ifdef SYS_landlock_create_ruleset

/* Bits of later kernels than the headers may be. */
#define ACCESS_REFER (1ULL << 13)    /* Landlock ABI 2 */
#define ACCESS_TRUNCATE (1ULL << 14) /* 3 */
#define ACCESS_ALL_1 ((1ULL << 13) - 1)

static int add_rule(int ruleset, const char *path, __u64 allowed, struct err *e)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = allowed };
	int rc = -1;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (rule.parent_fd < 0)
		return err_errno(e, "%s", path);
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
		err_errno(e, "landlock_add_rule");
	else
		rc = 0;
	close(rule.parent_fd);
	return rc;
}

int sandbox_files(const char *file, const char *folder, struct err *e)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = ACCESS_ALL_1 };
	__u64 in_folder = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE |
			  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset, rc = -1;

	if (abi < 1) /* not in this kernel, or switched off */
		return 0;
	if (abi >= 2)
		attr.handled_access_fs |= ACCESS_REFER;
	if (abi >= 3) {
		attr.handled_access_fs |= ACCESS_TRUNCATE;
		in_folder |= ACCESS_TRUNCATE;
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (ruleset < 0)
		return err_errno(e, "landlock_create_ruleset");
	if (add_rule(ruleset, file, LANDLOCK_ACCESS_FS_READ_FILE, e) != 0 || add_rule(ruleset, folder, in_folder, e) != 0 ||
	    no_new_privileges(e) != 0)
		goto out;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		err_errno(e, "landlock_restrict_self");
	else
		rc = 0;
out:
	close(ruleset);
	return rc;
}

#else /* headers before Linux 5.13 */

int sandbox_files(const char *file, const char *folder, struct err *e)
{
	(void)file;
	(void)folder;
	return no_new_privileges(e);
}

#endif

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define OWN_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define OWN_ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define OWN_ARCH AUDIT_ARCH_RISCV64
#endif

#ifdef OWN_ARCH

/* Deny what is never needed, rather than allow what libraries of today happen to call. */
#define DENY(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

int sandbox_calls(struct err *e)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __x86_64__
		/* The x32 numbers of the same calls. */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
#endif
		DENY(execve), DENY(execveat), DENY(clone), DENY(clone3),
#ifdef SYS_fork
		DENY(fork), DENY(vfork),
#endif
		DENY(socket), DENY(socketpair), DENY(connect), DENY(bind), DENY(listen), DENY(sendto), DENY(sendmsg),
		DENY(ptrace), DENY(process_vm_readv), DENY(process_vm_writev), DENY(pidfd_open), DENY(pidfd_getfd),
		DENY(kill), DENY(tkill), DENY(pidfd_send_signal), DENY(prctl), DENY(setrlimit), DENY(prlimit64),
		DENY(io_uring_setup), DENY(io_uring_enter), DENY(io_uring_register), DENY(bpf), DENY(perf_event_open),
		DENY(userfaultfd), DENY(keyctl), DENY(add_key), DENY(request_key), DENY(unshare), DENY(setns), DENY(mount),
		DENY(umount2), DENY(pivot_root), DENY(chroot), DENY(open_by_handle_at), DENY(memfd_create), DENY(shmget),
		DENY(msgget), DENY(mq_open),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof filter / sizeof *filter, filter };

	if (no_new_privileges(e) != 0)
		return -1;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0)
		return 0;
	return errno == EINVAL || errno == ENOSYS ? 0 : err_errno(e, "PR_SET_SECCOMP"); /* a kernel without it */
}

#else

int sandbox_calls(struct err *e)
{
	(void)e;
	return 0;
}

#endif
#endif
