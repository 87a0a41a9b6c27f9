#define _GNU_SOURCE
#include "segments.h"

#include <string.h>

#define MAX_SEGMENTS 64     /* the kernel's UDP_MAX_SEGMENTS of old */
#define MAX_GSO_BYTES 65000 /* below what an IP packet holds */

int segment(struct iovec *vectors, int count, bool gso, struct sockaddr_storage *name, socklen_t name_size,
            struct mmsghdr *messages, struct segment_control *controls)
{
    int message = 0;
    for (int first = 0; first < count; message++) {
        uint16_t size = (uint16_t)vectors[first].iov_len;
        size_t total = 0;
        int end = first;
        bool more = true;
        while (more && end < count && end - first < (gso ? MAX_SEGMENTS : 1) && vectors[end].iov_len <= size &&
               total + vectors[end].iov_len <= MAX_GSO_BYTES) {
            total += vectors[end].iov_len;
            more = vectors[end++].iov_len == size;
        }
        struct msghdr *header = &messages[message].msg_hdr;
        *header = (struct msghdr){.msg_name = name,
                                  .msg_namelen = name_size,
                                  .msg_iov = &vectors[first],
                                  .msg_iovlen = (size_t)(end - first)};
        if (end - first > 1) {
            header->msg_control = controls[message].bytes;
            header->msg_controllen = sizeof controls[message].bytes;
            struct cmsghdr *control = CMSG_FIRSTHDR(header);
            control->cmsg_level = SOL_UDP;
            control->cmsg_type = UDP_SEGMENT;
            control->cmsg_len = CMSG_LEN(sizeof size);
            memcpy(CMSG_DATA(control), &size, sizeof size);
        }
        first = end;
    }
    return message;
}
