/* See sandbox.h: Landlock and seccomp by their system calls. */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#if !defined ANKISYNC_SANITIZE && __has_include(<linux/landlock.h>)
#include <linux/landlock.h>
#endif

/* --- files --- */

#ifdef LANDLOCK_CREATE_RULESET_VERSION

/* Of later kernels than the headers may be. */
#define ACCESS_ALL_1 ((1ULL << 13) - 1)
#define ACCESS_REFER (1ULL << 13)    /* Landlock ABI 2: links and renames into another folder */
#define ACCESS_TRUNCATE (1ULL << 14) /* 3 */
#define NET_ALL 3ULL                 /* 4: to bind or connect TCP sockets */
#define SCOPE_ALL 3ULL               /* 6: signals and abstract sockets */
#define ACCESS_OF_FILES                                                                                                          \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE)

/* struct landlock_ruleset_attr of ABI 6. Older kernels accept it when what they do not know is zero. */
struct ruleset_attr {
	uint64_t fs, net, scoped;
};

int sandbox_begin(struct sandbox *s, struct err *e)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset_attr attr = { .fs = ACCESS_ALL_1 };

	*s = (struct sandbox){ .ruleset = -1 };
	if (abi < 1) /* not in this kernel, or switched off */
		return 0;
	if (abi >= 2)
		attr.fs |= ACCESS_REFER;
	if (abi >= 3)
		attr.fs |= ACCESS_TRUNCATE;
	if (abi >= 4)
		attr.net = NET_ALL;
	if (abi >= 6)
		attr.scoped = SCOPE_ALL;
	s->ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (s->ruleset < 0)
		return err_errno(e, "landlock_create_ruleset");
	s->handled = attr.fs;
	return 0;
}

static uint64_t access_of(unsigned may)
{
	uint64_t a = 0;

	if (may & SANDBOX_READ)
		a |= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	if (may & SANDBOX_RUN)
		a |= LANDLOCK_ACCESS_FS_EXECUTE;
	if (may & SANDBOX_WRITE)
		a |= LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | ACCESS_TRUNCATE;
	if (may & SANDBOX_REMOVE)
		a |= LANDLOCK_ACCESS_FS_REMOVE_FILE;
	if (may & SANDBOX_FOLDERS)
		a |= LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR;
	return a;
}

int sandbox_allow(struct sandbox *s, const char *path, unsigned may, struct err *e)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access_of(may) & s->handled };
	struct stat st;
	int rc = -1;

	if (s->ruleset < 0)
		return 0;
	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, "%s", path);
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= ACCESS_OF_FILES;
	if (syscall(SYS_landlock_add_rule, s->ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
		err_errno(e, "landlock_add_rule: %s", path);
	else
		rc = 0;
	close(rule.parent_fd);
	return rc;
}

int sandbox_enter(struct sandbox *s, struct err *e)
{
	int rc = 1;

	if (s->ruleset < 0)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, s->ruleset, 0) != 0)
		rc = err_errno(e, "landlock_restrict_self");
	sandbox_end(s);
	return rc;
}

void sandbox_end(struct sandbox *s)
{
	if (s->ruleset >= 0)
		close(s->ruleset);
	s->ruleset = -1;
}

#else /* headers before Linux 5.13, or sanitizers */

int sandbox_begin(struct sandbox *s, struct err *e)
{
	(void)e;
	*s = (struct sandbox){ .ruleset = -1 };
	return 0;
}

int sandbox_allow(struct sandbox *s, const char *path, unsigned may, struct err *e)
{
	(void)s, (void)path, (void)may, (void)e;
	return 0;
}

int sandbox_enter(struct sandbox *s, struct err *e)
{
	(void)s, (void)e;
	return 0;
}

void sandbox_end(struct sandbox *s)
{
	(void)s;
}

#endif

/* --- calls --- */

#if defined ANKISYNC_SANITIZE
#elif defined __x86_64__
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined __i386__
#define OWN_ARCH AUDIT_ARCH_I386
#elif defined __aarch64__
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined __arm__
#define OWN_ARCH AUDIT_ARCH_ARM
#elif defined __riscv && __riscv_xlen == 64
#define OWN_ARCH AUDIT_ARCH_RISCV64
#endif

#ifdef OWN_ARCH

/* Deny what is never needed, rather than allow what libraries of today happen to call. */
static const int never[] = {
	SYS_socketpair, SYS_bind, SYS_listen,
	SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_open, SYS_pidfd_getfd, SYS_pidfd_send_signal, SYS_kcmp,
	SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
	SYS_keyctl, SYS_add_key, SYS_request_key,
	SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_fsopen, SYS_fsconfig, SYS_fsmount,
	SYS_fspick, SYS_open_tree, SYS_move_mount, SYS_open_by_handle_at,
	SYS_memfd_create, SYS_shmget, SYS_msgget, SYS_mq_open,
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct,
	SYS_quotactl, SYS_personality,
};

static const int never_alone[] = {
	SYS_execve, SYS_execveat, SYS_clone, SYS_clone3,
#ifdef SYS_fork
	SYS_fork, SYS_vfork,
#endif
	SYS_kill, SYS_tkill, SYS_prctl, SYS_setrlimit, SYS_prlimit64, SYS_sendto, SYS_sendmsg,
};

#define NAMESPACES 0x7e020000U /* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define ALLOW SECCOMP_RET_ALLOW
#define REFUSE(number) (SECCOMP_RET_ERRNO | (number))

struct program {
	struct sock_filter ops[192];
	unsigned short n;
};

static void op(struct program *p, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
	p->ops[p->n++] = (struct sock_filter){ code, if_true, if_false, k };
}

static void load(struct program *p, size_t offset)
{
	op(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct program *p, uint32_t what)
{
	op(p, BPF_RET | BPF_K, what, 0, 0);
}

static void refuse(struct program *p, int call, int error)
{
	op(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1);
	answer(p, REFUSE((uint32_t)error));
}

/* Allowed if the comparison of its first argument is true or false, as `wanted` says. All of OWN_ARCH are little-endian. */
static void refuse_unless(struct program *p, int call, uint16_t comparison, uint32_t with, bool wanted)
{
	op(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 4);
	load(p, offsetof(struct seccomp_data, args));
	op(p, BPF_JMP | BPF_K | comparison, with, wanted, !wanted);
	answer(p, REFUSE(EPERM));
	answer(p, ALLOW);
}

int sandbox_calls(unsigned flags, struct err *e)
{
	struct program p = { .n = 0 };
	struct sock_fprog program;

	load(&p, offsetof(struct seccomp_data, arch));
	op(&p, BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0);
	answer(&p, SECCOMP_RET_KILL_PROCESS);
	load(&p, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	/* The x32 numbers of the same calls. */
	op(&p, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
	answer(&p, REFUSE(EPERM));
#endif
	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		refuse(&p, never[i], EPERM);
	for (size_t i = 0; flags & SANDBOX_ALONE && i < sizeof never_alone / sizeof *never_alone; i++)
		refuse(&p, never_alone[i], EPERM);
	if (flags & SANDBOX_SYSLOG) {
		refuse_unless(&p, SYS_socket, BPF_JEQ, AF_UNIX, true);
	} else {
		refuse(&p, SYS_socket, EPERM);
		refuse(&p, SYS_connect, EPERM);
	}
	/* A filter cannot see the flags of clone3. libc then falls back to clone, for threads too. */
	refuse(&p, SYS_clone3, ENOSYS);
	refuse_unless(&p, SYS_clone, BPF_JSET, NAMESPACES, false);
	answer(&p, ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(e, "PR_SET_NO_NEW_PRIVS");
	program = (struct sock_fprog){ p.n, p.ops };
	/* Without the flag, kernels before 5.16 slow the process down as if it ran a stranger's code; those before 4.17 lack it. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0)
		return 1;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0)
		return 1;
	/* A kernel without it; EPERM: a container that does not let it be used. */
	return errno == EINVAL || errno == ENOSYS || errno == EPERM ? 0 : err_errno(e, "PR_SET_SECCOMP");
}

#else

int sandbox_calls(unsigned flags, struct err *e)
{
	(void)flags, (void)e;
	return 0;
}

#endif
