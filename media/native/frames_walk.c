/* Where each packet stands in what the tap gave (recorder/journal.py `tap_packets`). */

#include "frames.h"

#define TAP_HEADER 24 /* length of the rest, producer, arrival, sequence number */
#define RTP_HEADER 12

enum walk walk_next(const uint8_t *data, size_t size, size_t *at, uint32_t *producer, struct walked *found)
{
    if (*at >= size)
        return WALK_ENDS;
    const uint8_t *record = data + *at;
    size_t left = size - *at;
    if (left < TAP_HEADER)
        return WALK_LIES;
    size_t rest = read_32(record);
    if (rest < TAP_HEADER - 4 || rest > left - 4)
        return WALK_LIES;
    size_t start = *at + TAP_HEADER, length = rest - (TAP_HEADER - 4);
    *at = start + length;
    const uint8_t *packet = data + start;
    uint64_t arrival = read_64(record + 8), sequence = read_64(record + 16);
    if (length < RTP_HEADER || length > UINT16_MAX || packet[0] >> 6 != 2 || sequence >> 62 || arrival >> 63)
        return WALK_UNREADABLE;
    *producer = read_32(record + 4);
    *found = (struct walked){
        .offset = start,
        .arrival = arrival,
        .sequence = sequence,
        .timestamp = read_32(packet + 4),
        .length = (uint16_t)length,
        .second = packet[1],
    };
    return WALK_PACKET;
}
