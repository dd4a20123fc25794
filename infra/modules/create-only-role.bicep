// A custom role: reads and lists blobs and creates new ones, but neither overwrites nor deletes any. Azure has no such
// built-in role. According to "Permissions for Blob service operations"
// (https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory, read in November 2026),
// Put Blob needs blobs/write to replace a blob, and either blobs/write or blobs/add/action to create one.

resource createOnly 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'photorelay-create-only')
  properties: {
    // Unique in the tenant.
    roleName: 'photorelay create-only blobs ${uniqueString(resourceGroup().id)}'
    description: 'Reads, lists and creates blobs; cannot overwrite or delete them.'
    type: 'CustomRole'
    assignableScopes: [
      resourceGroup().id
    ]
    permissions: [
      {
        actions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/read'
        ]
        dataActions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action'
        ]
      }
    ]
  }
}

output roleDefinitionId string = createOnly.id
