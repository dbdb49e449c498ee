// The server behind the balancers under test: one thread, one epoll, as cheap as it can be, so
// that the balancer and not the backend is what a run is limited by.
//
//     backend PORT ADDRESS...
//
// It speaks just enough HTTP/1.1 for curl to talk to it. "GET /N" answers N bytes and keeps the
// connection; "GET /N/close" answers N bytes and closes first. Bodies up to SMALL_BODY go out with
// the header in one send; larger ones by sendfile from a memory file.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

enum {
    MAX_DESCRIPTORS = 20000,
    SMALL_BODY = 4096,
    LARGEST_BODY = 64 << 20,
    REQUEST_SPACE = 512,
};

struct connection {
    int listening;
    int closing;          // close when the answer is out
    int writing;          // EPOLLOUT is registered
    size_t filled;        // bytes of the request so far
    long left;            // bytes of the body still to send
    off_t offset;
    char request[REQUEST_SPACE];
};

static struct connection *connections[MAX_DESCRIPTORS];
static int poller, body_file;
static char small[HEADER_BYTES + SMALL_BODY];

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int fd, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(poller, operation, fd, &event) < 0) die("epoll_ctl");
}

static void finish(int fd) {
    free(connections[fd]);
    connections[fd] = NULL;
    close(fd);
}

// Returns 0 when the connection is gone.
static int push_body(int fd, struct connection *c) {
    while (c->left > 0) {
        ssize_t n = sendfile(fd, body_file, &c->offset, (size_t)c->left);
        if (n > 0) {
            c->left -= n;
        } else if (n < 0 && errno == EAGAIN) {
            if (!c->writing) watch(fd, EPOLL_CTL_MOD, EPOLLOUT);
            c->writing = 1;
            return 1;
        } else {
            finish(fd);
            return 0;
        }
    }
    if (c->closing) {
        finish(fd);
        return 0;
    }
    if (c->writing) watch(fd, EPOLL_CTL_MOD, EPOLLIN);
    c->writing = 0;
    return 1;
}

static int answer(int fd, struct connection *c) {
    char *rest;
    long body = strncmp(c->request, "GET /", 5) ? -1 : strtol(c->request + 5, &rest, 10);
    if (body < 0 || body > LARGEST_BODY) {
        finish(fd);
        return 0;
    }
    c->closing = !strncmp(rest, "/close", 6);
    c->filled = 0;
    write_header(small, body);
    int together = body <= SMALL_BODY;
    size_t length = HEADER_BYTES + (together ? (size_t)body : 0);
    // One response at a time and this short: it always fits the send buffer.
    if (send(fd, small, length, MSG_NOSIGNAL | (together ? 0 : MSG_MORE)) != (ssize_t)length) {
        finish(fd);
        return 0;
    }
    c->left = together ? 0 : body;
    c->offset = 0;
    return push_body(fd, c);
}

static void readable(int fd, struct connection *c) {
    ssize_t n = recv(fd, c->request + c->filled, REQUEST_SPACE - 1 - c->filled, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) finish(fd);
        return;
    }
    c->filled += (size_t)n;
    c->request[c->filled] = 0;
    if (c->filled >= 4 && !memcmp(c->request + c->filled - 4, "\r\n\r\n", 4)) {
        answer(fd, c);
    } else if (c->filled == REQUEST_SPACE - 1) {
        finish(fd);
    }
}

static void add(int fd, int listening) {
    if (fd >= MAX_DESCRIPTORS || !(connections[fd] = calloc(1, sizeof(struct connection)))) {
        close(fd);
        return;
    }
    connections[fd]->listening = listening;
    watch(fd, EPOLL_CTL_ADD, EPOLLIN);
}

static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        // Without it the last, short segment of a body could wait for an acknowledgement.
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        add(fd, 0);
    }
}

static void listen_on(const char *address, int port) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, address, &name.sin_addr) != 1) die(address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&name, sizeof name) < 0 || listen(fd, 4096) < 0) die(address);
    add(fd, 1);
}

int main(int count, char **words) {
    if (count < 3) {
        fprintf(stderr, "usage: backend PORT ADDRESS...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(EPOLL_CLOEXEC);
    body_file = memfd_create("body", MFD_CLOEXEC);
    if (poller < 0 || body_file < 0 || ftruncate(body_file, LARGEST_BODY) < 0) die("backend");
    // Pages are written once now: a page that is only a hole would be allocated during a run.
    char *page = mmap(NULL, LARGEST_BODY, PROT_WRITE, MAP_SHARED, body_file, 0);
    if (page == MAP_FAILED) die("mmap");
    memset(page, 'x', LARGEST_BODY);
    munmap(page, LARGEST_BODY);
    memset(small, 'x', sizeof small);
    for (int i = 2; i < count; i++) listen_on(words[i], atoi(words[1]));
    puts("ready");
    fflush(stdout);

    struct epoll_event events[256];
    for (;;) {
        int n = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            struct connection *c = connections[fd];
            if (!c) continue;
            if (c->listening) accept_all(fd);
            else if (c->left > 0) push_body(fd, c);
            else readable(fd, c);
        }
    }
}
