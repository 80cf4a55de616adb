/*
 * Control messages. What user space sends is parsed from the kernel's copy, bounds checked header
 * by header; what it receives is written piece by piece into its buffer.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <net/socket.h>

int msg_next_control(const struct msg *m, size_t *pos, struct cmsghdr_abi *hdr, const u8 **data)
{
	size_t left = m->control_len - *pos;

	if (*pos > m->control_len || left < sizeof(*hdr))
		return 0;
	memcpy(hdr, m->control + *pos, sizeof(*hdr));
	if (hdr->len < sizeof(*hdr) || hdr->len > left)
		return -EINVAL;
	*data = m->control + *pos + sizeof(*hdr);
	*pos += ALIGN_UP(hdr->len, 8);
	return 1;
}

static void advance(struct msg *m, u64 n)
{
	n = MIN(n, m->control_left);
	m->control_out.uaddr = user_address(m->control_out) + n;
	m->control_left -= n;
}

void msg_put_control(struct msg *m, s32 level, s32 type, const void *data, size_t len)
{
	struct cmsghdr_abi hdr = {.len = CMSG_LEN(len), .level = level, .type = type};
	struct user_bytes body;

	if (user_is_null(m->control_out) || m->control_left < sizeof(hdr)) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	if (m->control_left < hdr.len) {
		m->out_flags |= MSG_CTRUNC;
		hdr.len = m->control_left;
	}
	body = user_handle(bytes, user_address(m->control_out) + sizeof(hdr));
	if (user_write_bytes(m->control_out, &hdr, sizeof(hdr)) ||
	    user_write_bytes(body, data, hdr.len - sizeof(hdr)))
		return; /* Linux tells nobody either */
	advance(m, CMSG_SPACE(len));
}
