#define _GNU_SOURCE
#include "CLinuxNetwork.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "CLinux.h"

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

_Static_assert(sizeof(struct fl_filter_step) == sizeof(struct sock_filter),
               "a filter step is a sock_filter");

#define RETRY(type, call)                  \
  do {                                     \
    type result_;                          \
    do                                     \
      result_ = (call);                    \
    while (result_ < 0 && errno == EINTR); \
    return result_ < 0 ? -errno : result_; \
  } while (0)

static void endpoint_4(struct fl_endpoint *out, uint32_t network_order) {
  memset(out, 0, sizeof *out);
  out->family = 4;
  out->low = ntohl(network_order);
}

static void endpoint_6(struct fl_endpoint *out, const struct in6_addr *address, uint32_t scope) {
  memset(out, 0, sizeof *out);
  out->family = 6;
  out->scope = scope;
  for (int i = 0; i < 8; i++) out->high = out->high << 8 | address->s6_addr[i];
  for (int i = 8; i < 16; i++) out->low = out->low << 8 | address->s6_addr[i];
}

static void address_6(struct in6_addr *out, const struct fl_endpoint *from) {
  for (int i = 0; i < 8; i++) {
    out->s6_addr[i] = (uint8_t)(from->high >> (56 - 8 * i));
    out->s6_addr[8 + i] = (uint8_t)(from->low >> (56 - 8 * i));
  }
}

int fl_raw_socket(int family, int protocol) {
  RETRY(int, socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

// The protocol is given to bind(2), not to socket(2): between the two a socket would otherwise
// receive from every interface.
int fl_packet_socket(int type, int protocol, uint32_t interface_index) {
  int fd = socket(AF_PACKET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                .sll_protocol = htons((uint16_t)protocol),
                                .sll_ifindex = (int)interface_index};
  if (protocol != 0 && bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int code = errno;
    close(fd);
    return -code;
  }
  return fd;
}

int fl_netlink_socket(int protocol, uint32_t groups) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -errno;
  int on = 1;
  // Acks that carry a sentence and not the request: absent in old kernels, and not needed there.
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int code = errno;
    close(fd);
    return -code;
  }
  return fd;
}

int fl_multicast_member(int fd, int join, const struct fl_endpoint *group,
                        uint32_t interface_index) {
  if (group->family == 4) {
    struct ip_mreqn request = {.imr_multiaddr.s_addr = htonl((uint32_t)group->low),
                               .imr_ifindex = (int)interface_index};
    RETRY(int, setsockopt(fd, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &request,
                          sizeof request));
  }
  if (group->family == 6) {
    struct ipv6_mreq request = {.ipv6mr_interface = interface_index};
    address_6(&request.ipv6mr_multiaddr, group);
    RETRY(int, setsockopt(fd, IPPROTO_IPV6, join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &request,
                          sizeof request));
  }
  return -EAFNOSUPPORT;
}

int fl_attach_filter(int fd, const struct fl_filter_step *steps, size_t count) {
  if (count == 0 || count > BPF_MAXINSNS) return -EINVAL;
  struct sock_fprog program = {.len = (unsigned short)count,
                               .filter = (struct sock_filter *)steps};
  RETRY(int, setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

int fl_icmp6_pass_only(int fd, uint8_t type) {
  struct icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(type, &filter);
  RETRY(int, setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter));
}

static void take_control(struct msghdr *message, struct fl_endpoint *destination,
                         uint32_t *interface_index, int32_t *hop_limit) {
  for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item; item = CMSG_NXTHDR(message, item)) {
    if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(item), sizeof info);
      *interface_index = (uint32_t)info.ipi_ifindex;
    } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;
      memcpy(&info, CMSG_DATA(item), sizeof info);
      *interface_index = info.ipi6_ifindex;
      endpoint_6(destination, &info.ipi6_addr, 0);
    } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_HOPLIMIT) {
      int value;
      memcpy(&value, CMSG_DATA(item), sizeof value);
      *hop_limit = value;
    }
  }
}

long fl_receive_from_wire(int fd, void *bytes, size_t count, struct fl_endpoint *source,
                          struct fl_endpoint *destination, uint32_t *interface_index,
                          int32_t *hop_limit) {
  struct sockaddr_storage address;
  union {
    struct cmsghdr header;
    char bytes[256];
  } control;
  struct iovec vector = {.iov_base = bytes, .iov_len = count};
  struct msghdr message;
  long length;
  do {
    memset(&message, 0, sizeof message);
    message.msg_name = &address;
    message.msg_namelen = sizeof address;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    length = recvmsg(fd, &message, MSG_DONTWAIT);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return -errno;
  memset(source, 0, sizeof *source);
  memset(destination, 0, sizeof *destination);
  *interface_index = 0;
  *hop_limit = -1;
  take_control(&message, destination, interface_index, hop_limit);
  if (address.ss_family == AF_INET && message.msg_namelen >= sizeof(struct sockaddr_in)) {
    endpoint_4(source, ((struct sockaddr_in *)&address)->sin_addr.s_addr);
    if (length >= 20) {
      const uint8_t *header = bytes;
      uint32_t to;
      memcpy(&to, header + 16, sizeof to);
      endpoint_4(destination, to);
      *hop_limit = header[8];
    }
  } else if (address.ss_family == AF_INET6 && message.msg_namelen >= sizeof(struct sockaddr_in6)) {
    const struct sockaddr_in6 *in = (struct sockaddr_in6 *)&address;
    endpoint_6(source, &in->sin6_addr, in->sin6_scope_id);
  }
  return length;
}

static long send_message(int fd, struct msghdr *message) {
  RETRY(long, sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static struct cmsghdr *one_control(struct msghdr *message, void *room, int level, int type,
                                   size_t size) {
  message->msg_control = room;
  message->msg_controllen = CMSG_SPACE(size);
  struct cmsghdr *item = CMSG_FIRSTHDR(message);
  item->cmsg_level = level;
  item->cmsg_type = type;
  item->cmsg_len = CMSG_LEN(size);
  return item;
}

long fl_send_to_wire(int fd, const void *bytes, size_t count, const struct fl_endpoint *source,
                     const struct fl_endpoint *destination, uint32_t interface_index) {
  union {
    struct cmsghdr header;
    char bytes[128];
  } control;
  memset(&control, 0, sizeof control);
  struct fl_sockaddr to;
  struct fl_endpoint end = *destination;
  end.port = 0;
  int made = fl_sockaddr_ip(&to, &end);
  if (made < 0) return made;
  struct iovec vector = {.iov_base = (void *)bytes, .iov_len = count};
  struct msghdr message = {.msg_name = to.storage,
                           .msg_namelen = to.length,
                           .msg_iov = &vector,
                           .msg_iovlen = 1};
  if (destination->family == 4 && interface_index != 0) {
    struct in_pktinfo info = {.ipi_ifindex = (int)interface_index};
    struct cmsghdr *item =
        one_control(&message, control.bytes, IPPROTO_IP, IP_PKTINFO, sizeof info);
    memcpy(CMSG_DATA(item), &info, sizeof info);
  } else if (destination->family == 6) {
    struct in6_pktinfo info = {.ipi6_ifindex = interface_index};
    if (source != NULL && source->family == 6) address_6(&info.ipi6_addr, source);
    struct cmsghdr *item =
        one_control(&message, control.bytes, IPPROTO_IPV6, IPV6_PKTINFO, sizeof info);
    memcpy(CMSG_DATA(item), &info, sizeof info);
  }
  return send_message(fd, &message);
}

long fl_send_frame(int fd, const void *bytes, size_t count, uint32_t interface_index) {
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)interface_index};
  struct ethhdr header;
  if (count < sizeof header) return -EINVAL;
  memcpy(&header, bytes, sizeof header);
  address.sll_protocol = header.h_proto;
  address.sll_halen = ETH_ALEN;
  memcpy(address.sll_addr, header.h_dest, ETH_ALEN);
  RETRY(long, sendto(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address,
                     sizeof address));
}

long fl_receive_frame(int fd, void *bytes, size_t count, uint32_t *interface_index,
                      uint8_t *packet_type) {
  struct sockaddr_ll address = {0};
  long length;
  do {
    socklen_t size = sizeof address;
    length = recvfrom(fd, bytes, count, MSG_DONTWAIT, (struct sockaddr *)&address, &size);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return -errno;
  *interface_index = (uint32_t)address.sll_ifindex;
  *packet_type = address.sll_pkttype;
  return length;
}

long fl_netlink_send(int fd, const void *bytes, size_t count) {
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  RETRY(long, sendto(fd, bytes, count, 0, (struct sockaddr *)&kernel, sizeof kernel));
}

long fl_netlink_receive(int fd, void *bytes, size_t count, uint32_t *sender) {
  struct sockaddr_nl address = {0};
  long length;
  do {
    socklen_t size = sizeof address;
    length = recvfrom(fd, bytes, count, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&address,
                      &size);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return -errno;
  *sender = address.nl_pid;
  return length;
}

int fl_timer(void) { RETRY(int, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)); }

// A moment that has passed fires at once; a negative one disarms. Zero would disarm too, so it
// becomes one nanosecond.
int fl_timer_set(int fd, int64_t monotonic_us) {
  struct itimerspec when = {0};
  if (monotonic_us >= 0) {
    when.it_value.tv_sec = monotonic_us / 1000000;
    when.it_value.tv_nsec = monotonic_us % 1000000 * 1000;
    if (monotonic_us == 0) when.it_value.tv_nsec = 1;
  }
  RETRY(int, timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL));
}

int64_t fl_timer_take(int fd) {
  uint64_t count = 0;
  long got;
  do
    got = read(fd, &count, sizeof count);
  while (got < 0 && errno == EINTR);
  if (got < 0) return errno == EAGAIN ? 0 : -errno;
  return (int64_t)count;
}

int fl_lock_memory(int locked) {
  if (!locked) RETRY(int, munlockall());
  RETRY(int, mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
}

// Both calls mean the calling thread when the process id is 0.
int fl_thread_schedule(int *policy, int *priority) {
  struct sched_param parameters;
  int got = sched_getscheduler(0);
  if (got < 0 || sched_getparam(0, &parameters) < 0) return -errno;
  *policy = got & ~SCHED_RESET_ON_FORK;
  *priority = parameters.sched_priority;
  return 0;
}

int fl_thread_set_schedule(int policy, int priority) {
  struct sched_param parameters = {.sched_priority = priority};
  // Programs that this thread starts must not inherit its priority.
  int flags = policy == SCHED_FIFO || policy == SCHED_RR ? SCHED_RESET_ON_FORK : 0;
  RETRY(int, sched_setscheduler(0, policy | flags, &parameters));
}

int64_t fl_interface_index(const char *name) {
  unsigned index = if_nametoindex(name);
  return index == 0 ? -errno : (int64_t)index;
}

int fl_new_network_namespace(void) { RETRY(int, unshare(CLONE_NEWNET)); }

int fl_enter_network_namespace(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int result = setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
  close(fd);
  return result;
}

long fl_read_file(const char *path, void *bytes, size_t count) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  long got;
  do
    got = read(fd, bytes, count);
  while (got < 0 && errno == EINTR);
  if (got < 0) got = -errno;
  close(fd);
  return got;
}

long fl_write_file(const char *path, const void *bytes, size_t count) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  long put;
  do
    put = write(fd, bytes, count);
  while (put < 0 && errno == EINTR);
  if (put < 0) put = -errno;
  close(fd);
  return put;
}
