#!/bin/sh
# Makes the database of a test domain, contoso.test, in FOLDER: once for each version of Samba and of this script.
#
# The agent's account may do what infra/agent/README.md grants and nothing more: write photos of users in OU=People.
set -eu
folder=$1

# These open nothing but a database that listens on loopback for as long as tests run.
admin_password=Provisioned-for-tests-1
agent_password=Agent-of-the-tests-1

umask 077
samba-tool domain provision --realm=CONTOSO.TEST --domain=CONTOSO --server-role=dc --dns-backend=NONE \
    --adminpass="$admin_password" --targetdir="$folder" --host-name=dc1 --host-ip=127.0.0.1 \
    --option="interfaces=lo" --option="bind interfaces only=yes" --quiet

sam="tdb://$folder/private/sam.ldb"
conf="$folder/etc/smb.conf"
people="OU=People,DC=contoso,DC=test"
samba-tool ou create "$people" -H "$sam" -s "$conf"
samba-tool user create photorelay-agent "$agent_password" -H "$sam" -s "$conf"
# Without a threshold, a domain does not count refused passwords.
samba-tool domain passwordsettings set --account-lockout-threshold=5 -H "$sam" -s "$conf" --quiet
samba-tool user setexpiry photorelay-agent --noexpiry -H "$sam" -s "$conf"
sid=$(ldbsearch -H "$sam" '(sAMAccountName=photorelay-agent)' objectSid | sed -n 's/^objectSid: //p')

samba-tool domain exportkeytab "$folder/agent.keytab" --principal=photorelay-agent@CONTOSO.TEST -s "$conf"

# Read and write of one property of users below: thumbnailPhoto, then jpegPhoto (schemaIDGUID, then the class user).
user=bf967aba-0de6-11d0-a285-00aa003049e2
for property in 8d3bca50-1d7e-11d0-a081-00aa006c33ed bac80572-09c4-4fa9-9ae6-7628d7adbe0e; do
    samba-tool dsacl set --objectdn="$people" --sddl="(OA;CIIO;RPWP;$property;$user;$sid)" \
        -H "$sam" -s "$conf" >/dev/null
done

# What a domain of Windows Server 2016 has besides.
for file in cloud-attributes cloud-classes; do
    ldbmodify -H "$sam" --configfile="$conf" --option="dsdb:schema update allowed=true" "$(dirname "$0")/$file.ldif" >/dev/null
done

# Without a line end, as ldapsearch -y takes it.
printf %s "$admin_password" >"$folder/admin-password"
printf %s "$agent_password" >"$folder/agent-password"
