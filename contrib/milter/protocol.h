/*
 * The letters and flags of the milter protocol, as libmilter's mfdef.h has
 * them.
 */
#ifndef MILTER_PROTOCOL_H
#define MILTER_PROTOCOL_H

enum {
	VERSION_OLDEST = 2,
	VERSION_WITH_DATA = 4,		/* the first that knows SMFIC_DATA */
	VERSION_NEWEST = 6,
};

/* What we send. */
enum {
	SMFIC_ABORT = 'A', SMFIC_BODY = 'B', SMFIC_CONNECT = 'C',
	SMFIC_MACRO = 'D', SMFIC_BODYEOB = 'E', SMFIC_HELO = 'H',
	SMFIC_HEADER = 'L', SMFIC_MAIL = 'M', SMFIC_EOH = 'N',
	SMFIC_OPTNEG = 'O', SMFIC_QUIT = 'Q', SMFIC_RCPT = 'R',
	SMFIC_DATA = 'T',
};

/* What a milter answers. */
enum {
	SMFIR_ADDRCPT = '+', SMFIR_DELRCPT = '-', SMFIR_ADDRCPT_PAR = '2',
	SMFIR_SHUTDOWN = '4', SMFIR_ACCEPT = 'a', SMFIR_REPLBODY = 'b',
	SMFIR_CONTINUE = 'c', SMFIR_DISCARD = 'd', SMFIR_CHGFROM = 'e',
	SMFIR_CONN_FAIL = 'f', SMFIR_ADDHEADER = 'h', SMFIR_INSHEADER = 'i',
	SMFIR_CHGHEADER = 'm', SMFIR_PROGRESS = 'p', SMFIR_QUARANTINE = 'q',
	SMFIR_REJECT = 'r', SMFIR_SKIP = 's', SMFIR_TEMPFAIL = 't',
	SMFIR_REPLYCODE = 'y',
};

/* Changes that a milter may make. */
enum {
	SMFIF_ADDHDRS = 0x1, SMFIF_CHGBODY = 0x2, SMFIF_CHGHDRS = 0x10,
};

/* Steps that a milter does without, and other terms. */
enum {
	SMFIP_NOCONNECT = 0x1, SMFIP_NOHELO = 0x2, SMFIP_NOMAIL = 0x4,
	SMFIP_NORCPT = 0x8, SMFIP_NOBODY = 0x10, SMFIP_NOHDRS = 0x20,
	SMFIP_NOEOH = 0x40, SMFIP_NR_HDR = 0x80, SMFIP_NOUNKNOWN = 0x100,
	SMFIP_NODATA = 0x200, SMFIP_SKIP = 0x400, SMFIP_NR_CONN = 0x1000,
	SMFIP_NR_HELO = 0x2000, SMFIP_NR_MAIL = 0x4000,
	SMFIP_NR_RCPT = 0x8000, SMFIP_NR_DATA = 0x10000,
	SMFIP_NR_UNKN = 0x20000, SMFIP_NR_EOH = 0x40000,
	SMFIP_NR_BODY = 0x80000, SMFIP_HDR_LEADSPC = 0x100000,
};

#endif
