// Storage of the Functions host: the deployed package, locks, timer state, keys. It never contains photos or entries,
// and only the function app's identity has rights on it.

param name string
param location string
param tags object
param redundancy string
param privateNetwork bool
param endpointSubnetId string
param blobZoneId string

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  // checkov:skip=CKV_AZURE_35:Deny with privateNetwork=true; without it every access needs an Entra identity, as there is no key
  // checkov:skip=CKV_AZURE_206:redundancy is a parameter, zone-redundant by default
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: redundancy
  }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: {
        enabled: true
        days: 7
      }
    }

    resource package 'containers' = {
      name: 'app-package'
      properties: {
        publicAccess: 'None'
      }
    }
  }
}

module blobEndpoint 'private-endpoint.bicep' = if (privateNetwork) {
  name: 'host-blob-endpoint'
  params: {
    name: 'pe-${name}-blob'
    location: location
    tags: tags
    resourceId: account.id
    service: 'blob'
    subnetId: endpointSubnetId
    zoneId: blobZoneId
  }
}

output name string = account.name
output packageContainerUri string = '${account.properties.primaryEndpoints.blob}app-package'
