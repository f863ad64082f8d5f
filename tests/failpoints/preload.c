/* What the tests load into the tools and the worker (LD_PRELOAD), so that a call of the system fails there
   which in truth does not: the k-th of its kind in the process, once. No tool knows of it.

   The directory $FAILPOINTS holds the file "plan", a line: PROGRAM KIND K HOW. HOW is a number of errno.h; or
   "short", one byte less is done than was asked for, or one byte alone; or "flip", one bit of what was read is
   another; or "kill", the process ends in place of it; "from" behind a number is: this one and all that follow.
   The process in which it happens first makes the file "fired", and writes what it was into it; it happens in no
   other. Without a plan of theirs, processes only run. K of 0 notes each call of the kind, or of all kinds
   ("any"), in "calls".

   Left out: what lies in /proc, /sys, /dev and the system's own directories, which is not the tools' data; the
   program that is sent to hosts, which is read in a thousand pieces; what only asks whether there is something;
   standard error, for messages that cannot be said are no one's failure; removing, for what cannot be removed
   stays by nature; what the memory of a process comes from, without which Rust ends the process; and the calls
   that go past the C library (openat2 of client files). */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SHORT = -1, FLIP = -2, KILL = -3 };

static char plan_of[PATH_MAX];
static char kind_of[16] = "";
static long due = -1;
static int how, goes_on;
static atomic_long calls;
static atomic_int failing;

static void path_in_plan(char *path, const char *name) {
    snprintf(path, PATH_MAX + 16, "%s/%s", plan_of, name);
}

static void note(const char *file, const char *kind, const char *path) {
    char target[PATH_MAX + 16], line[PATH_MAX + 128], numbers[64];
    path_in_plan(target, file);
    /* Hosts number their processes for themselves. */
    long length = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/ns/pid", numbers, sizeof numbers - 1);
    numbers[length < 0 ? 0 : length] = 0;
    long to = syscall(SYS_openat, AT_FDCWD, target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int count = snprintf(line, sizeof line, "%ld.%s %s %s\n", syscall(SYS_getpid), numbers, kind, path);
    syscall(SYS_write, to, line, (size_t)count);
    syscall(SYS_close, to);
}

/* Whether the tools may do without it. */
static int is_of_the_system(const char *path) {
    static const char *const places[] = {"/proc/", "/sys/", "/dev/", "/usr/", "/lib", "/etc/", "/run/systemd/"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (!strncmp(path, places[i], strlen(places[i])))
            return 1;
    const char *name = strrchr(path, '/');
    return !strcmp(path, "/") || (name && !strcmp(name, "/mc-worker"));
}

/* The name of what is open there. */
static const char *name_of(int fd, char name[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, name, PATH_MAX - 1);
    name[length < 0 ? 0 : length] = 0;
    return name;
}

/* Whether this call is the one: 0, an error, SHORT or FLIP. */
static int fails(const char *kind, int fd, const char *path) {
    char name[PATH_MAX];
    if (due < 0 || !*kind || (strcmp(kind, kind_of) && strcmp(kind_of, "any")))
        return 0;
    int before = errno;
    path = path ? path : name_of(fd, name);
    if (is_of_the_system(path)) {
        errno = before;
        return 0;
    }
    if (atomic_load(&failing))
        return how;
    long call = atomic_fetch_add(&calls, 1) + 1;
    char fired[PATH_MAX + 16];
    if (due == 0) {
        note("calls", kind, path);
    } else if (call == due) {
        path_in_plan(fired, "fired");
        long to = syscall(SYS_openat, AT_FDCWD, fired, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (to >= 0) {
            syscall(SYS_close, to);
            note("fired", kind, path);
            if (how == KILL)
                syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
            atomic_store(&failing, goes_on);
            errno = before;
            return how;
        }
    }
    errno = before;
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    char text[128] = "", program[32], kind[16], manner[16], exe[PATH_MAX], on[8] = "";
    const char *plan = getenv("FAILPOINTS");
    if (!plan || strlen(plan) >= sizeof plan_of)
        return;
    strcpy(plan_of, plan);
    char path[PATH_MAX + 16];
    path_in_plan(path, "plan");
    long from = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return;
    syscall(SYS_read, from, text, sizeof text - 1);
    syscall(SYS_close, from);
    long k;
    if (sscanf(text, "%31s %15s %ld %15s %7s", program, kind, &k, manner, on) < 4)
        return;
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", exe, sizeof exe - 1);
    exe[length < 0 ? 0 : length] = 0;
    const char *name = strrchr(exe, '/') ? strrchr(exe, '/') + 1 : exe;
    /* On a host the worker is called by its hash. */
    if (strspn(name, "0123456789abcdef") == 64)
        name = "mc-worker";
    if (strcmp(name, program))
        return;
    strcpy(kind_of, kind);
    how = !strcmp(manner, "short")  ? SHORT
          : !strcmp(manner, "flip") ? FLIP
          : !strcmp(manner, "kill") ? KILL
                                    : atoi(manner);
    goes_on = !strcmp(on, "from");
    due = k;
}

static int gives(int error) {
    errno = error;
    return -1;
}

/* What is read from or written to: a file, a pipe or a socket; nothing of interest otherwise. */
static const char *kind(int fd, const char *file, const char *pipe, const char *socket) {
    struct stat found;
    int before = errno;
    if (due < 0 || fd == 2 || syscall(SYS_fstat, fd, &found) != 0) {
        errno = before;
        return "";
    }
    errno = before;
    return S_ISREG(found.st_mode) ? file : S_ISFIFO(found.st_mode) ? pipe : S_ISSOCK(found.st_mode) ? socket : "";
}

/* Whether a call would only say that there is nothing yet, which is no call to fail. */
static int is_idle(int fd) {
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    int before = errno;
    long flags = syscall(SYS_fcntl, fd, F_GETFL);
    int idle = flags > 0 && flags & O_NONBLOCK && poll(&asked, 1, 0) == 0;
    errno = before;
    return idle;
}

static const char *reading(int fd) {
    const char *found = kind(fd, "read", "take", "hear");
    return *found && *found != 'r' && is_idle(fd) ? "" : found;
}

static const char *writing(int fd) { return kind(fd, "write", "give", "say"); }

static size_t less(size_t size) { return size > 1 ? (size + 1) / 2 : size; }

/* ---- names */

static int open_at(int at, const char *path, int flags, mode_t mode) {
    int error = fails("open", at, path);
    return error > 0 ? gives(error) : (int)syscall(SYS_openat, at, path, flags, mode);
}

#define MODE(flags, mode)                                                                                              \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) {                                                            \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode = va_arg(more, mode_t);                                                                                   \
        va_end(more);                                                                                                  \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_at(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_at(at, path, flags, mode);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

DIR *opendir(const char *path) {
    int error = fails("list", -1, path);
    if (error <= 0)
        return NEXT(opendir)(path);
    errno = error;
    return NULL;
}

FILE *fopen64(const char *path, const char *mode) {
    int error = fails("open", -1, path);
    if (error <= 0)
        return NEXT(fopen64)(path, mode);
    errno = error;
    return NULL;
}

FILE *fopen(const char *path, const char *mode) { return fopen64(path, mode); }

int mkdir(const char *path, mode_t mode) {
    int error = fails("mkdir", -1, path);
    return error > 0 ? gives(error) : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int rename(const char *from, const char *to) {
    int error = fails("rename", -1, to);
    return error > 0 ? gives(error) : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int at, const char *from, int at_to, const char *to, unsigned flags) {
    int error = fails("rename", -1, to);
    return error > 0 ? gives(error) : (int)syscall(SYS_renameat2, at, from, at_to, to, flags);
}

int renameat(int at, const char *from, int at_to, const char *to) { return renameat2(at, from, at_to, to, 0); }

int linkat(int at, const char *from, int at_to, const char *to, int flags) {
    int error = fails("link", -1, to);
    return error > 0 ? gives(error) : (int)syscall(SYS_linkat, at, from, at_to, to, flags);
}

int symlink(const char *what, const char *path) {
    int error = fails("link", -1, path);
    return error > 0 ? gives(error) : (int)syscall(SYS_symlinkat, what, AT_FDCWD, path);
}

/* ---- files */

static int synced(int fd, long call) {
    int error = fails("sync", fd, NULL);
    return error > 0 ? gives(error) : (int)syscall(call, fd);
}

int fsync(int fd) { return synced(fd, SYS_fsync); }

int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int syncfs(int fd) { return synced(fd, SYS_syncfs); }

int ftruncate64(int fd, off64_t length) {
    int error = fails("truncate", fd, NULL);
    return error > 0 ? gives(error) : (int)syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int flock(int fd, int operation) {
    int error = operation == LOCK_UN ? 0 : fails("lock", fd, NULL);
    return error > 0 ? gives(error) : (int)syscall(SYS_flock, fd, operation);
}

/* ---- bytes: files, pipes and sockets */

static ssize_t flipped(char *bytes, ssize_t count) {
    if (count > 0)
        bytes[count / 2] ^= 16;
    return count;
}

ssize_t read(int fd, void *buffer, size_t size) {
    int error = fails(reading(fd), fd, NULL);
    if (error > 0)
        return gives(error);
    ssize_t count = syscall(SYS_read, fd, buffer, error == SHORT ? less(size) : size);
    return error == FLIP ? flipped(buffer, count) : count;
}

ssize_t pread64(int fd, void *buffer, size_t size, off64_t at) {
    int error = fails(reading(fd), fd, NULL);
    if (error > 0)
        return gives(error);
    ssize_t count = syscall(SYS_pread64, fd, buffer, error == SHORT ? less(size) : size, at);
    return error == FLIP ? flipped(buffer, count) : count;
}

ssize_t readv(int fd, const struct iovec *parts, int count) {
    int error = fails(reading(fd), fd, NULL);
    return error > 0 ? gives(error) : syscall(SYS_readv, fd, parts, error == SHORT ? 1 : count);
}

ssize_t recv(int fd, void *buffer, size_t size, int flags) {
    int error = fails(reading(fd), fd, NULL);
    if (error > 0)
        return gives(error);
    return syscall(SYS_recvfrom, fd, buffer, error == SHORT ? less(size) : size, flags, NULL, NULL);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    int error = fails(reading(fd), fd, NULL);
    return error > 0 ? gives(error) : syscall(SYS_recvmsg, fd, message, flags);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    int error = fails(writing(fd), fd, NULL);
    return error > 0 ? gives(error) : syscall(SYS_write, fd, bytes, error == SHORT ? less(size) : size);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    int error = fails(writing(fd), fd, NULL);
    return error > 0 ? gives(error) : syscall(SYS_pwrite64, fd, bytes, error == SHORT ? less(size) : size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    int error = fails(writing(fd), fd, NULL);
    return error > 0 ? gives(error) : syscall(SYS_writev, fd, parts, error == SHORT ? 1 : count);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags) {
    int error = fails("say", fd, NULL);
    if (error > 0)
        return gives(error);
    return syscall(SYS_sendto, fd, bytes, error == SHORT ? less(size) : size, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    int error = fails("say", fd, NULL);
    return error > 0 ? gives(error) : syscall(SYS_sendmsg, fd, message, flags);
}

/* What is moved without being seen: first refused, so that it is read and written. */
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *at_to, size_t size, unsigned flags) {
    int error = fails(writing(to), to, NULL);
    return error > 0 ? gives(error) : syscall(SYS_copy_file_range, from, at, to, at_to, size, flags);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t size) {
    int error = fails(writing(to), to, NULL);
    return error > 0 ? gives(error) : syscall(SYS_sendfile, to, from, at, size);
}

ssize_t splice(int from, off64_t *at, int to, off64_t *at_to, size_t size, unsigned flags) {
    int error = fails(writing(to), to, NULL);
    return error > 0 ? gives(error) : syscall(SYS_splice, from, at, to, at_to, size, flags);
}

/* ---- what there are only so many of */

int connect(int fd, const struct sockaddr *address, socklen_t length) {
    int error = fails("connect", fd, NULL);
    return error > 0 ? gives(error) : (int)syscall(SYS_connect, fd, address, length);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    int error = fails("accept", fd, NULL);
    return error > 0 ? gives(error) : (int)syscall(SYS_accept4, fd, address, length, flags);
}

int accept(int fd, struct sockaddr *address, socklen_t *length) { return accept4(fd, address, length, 0); }

int socket(int domain, int type, int protocol) {
    int error = fails("socket", -1, "socket");
    return error > 0 ? gives(error) : (int)syscall(SYS_socket, domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int pair[2]) {
    int error = fails("socket", -1, "socketpair");
    return error > 0 ? gives(error) : (int)syscall(SYS_socketpair, domain, type, protocol, pair);
}

int pipe2(int pair[2], int flags) {
    int error = fails("pipe", -1, "pipe");
    return error > 0 ? gives(error) : (int)syscall(SYS_pipe2, pair, flags);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const *argv, char *const *envp) {
    int error = fails("spawn", -1, "a process");
    return error > 0 ? error : NEXT(posix_spawnp)(pid, file, actions, attributes, argv, envp);
}

pid_t fork(void) {
    int error = fails("spawn", -1, "fork");
    return error > 0 ? gives(error) : NEXT(fork)();
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    int error = fails("thread", -1, "a thread");
    return error > 0 ? error : NEXT(pthread_create)(thread, attributes, run, argument);
}
