#!/usr/bin/env bash
# Makes a new clientState, the secret that every notification must carry, and puts it into the vault. Nobody sees it.
#
#   infra/scripts/client-state.sh <key vault name> <function app name> <resource group>
#
# The one before goes to client-state-previous, whose notifications are accepted until the next rotation: run it again
# at any time, for example once a year. Needs the role Key Vault Secrets Officer on the vault.
set -euo pipefail

if [[ $# -ne 3 ]]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
vault=$1 app=$2 group=$3

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
umask 077

# Through files, because command lines are visible to everybody on the machine.
if az keyvault secret show --vault-name "$vault" --name client-state --query value --output tsv \
    >"$scratch/previous" 2>/dev/null; then
    truncate --size=-1 "$scratch/previous"
    az keyvault secret set --vault-name "$vault" --name client-state-previous --file "$scratch/previous" \
        --encoding utf-8 --output none
    az functionapp config appsettings set --name "$app" --resource-group "$group" --output none --settings \
        "PHOTORELAY_CLIENT_STATE_PREVIOUS=@Microsoft.KeyVault(SecretUri=https://$vault.vault.azure.net/secrets/client-state-previous)"
fi
openssl rand -hex 32 | tr -d '\n' >"$scratch/current"
az keyvault secret set --vault-name "$vault" --name client-state --file "$scratch/current" --encoding utf-8 \
    --output none
# References are read anew at a restart, and within a day without one.
az functionapp restart --name "$app" --resource-group "$group" --output none
echo "a new clientState is in $vault; the subscription follows within the hour, or at once with: photorelay subscribe"
