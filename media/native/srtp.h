/* SRTP is libsrtp's (RFC 3711, RFC 7714): its functions, by the addresses that pylibsrtp's binding gives. */

#ifndef KONSIL_SRTP_H
#define KONSIL_SRTP_H

#include <stdint.h>

/* srtp_err_status_t (*)(srtp_t, void *packet, int *size): in place; protect appends the tag. */
typedef int (*srtp_function)(void *session, void *packet, int *size);

struct srtp_functions {
    srtp_function protect, unprotect, protect_rtcp, unprotect_rtcp;
};

extern struct srtp_functions srtp;

/* What protecting may append: tag 16, SRTCP index 4. Rooms hold a little more. */
#define SRTP_ROOM 32

/* srtp_err_status_t */
#define SRTP_OK 0
#define SRTP_REPLAY_FAIL 9
#define SRTP_REPLAY_OLD 10

#endif
